import CleftFormats
import CleftNN
import CleftTensor

/// Settings of prompt tuning: trained vectors in front of every caption.
public struct PromptTuningConfig: Codable, Sendable, Equatable {
  /// Number of vectors.
  public var virtualTokenCount: Int

  enum CodingKeys: String, CodingKey { case virtualTokenCount = "num_virtual_tokens" }

  /// Makes settings.
  public init(virtualTokenCount: Int = 30) { self.virtualTokenCount = virtualTokenCount }

  /// Puts the vectors in front of the tower's captions and freezes the tower.
  ///
  /// - Parameter tokens: ids whose embeddings the vectors start from, repeated or cut to their number; nil or empty
  ///   starts from standard normal numbers.
  /// - Source: Lester et al. 2021, arXiv 2104.08691. Matches PEFT `PromptEmbedding`.
  public func apply(to host: any VirtualTokenHost, startingFrom tokens: [Int]?) throws(AdapterError) {
    guard virtualTokenCount > 0 else {
      throw .badSetting(Problem("--ctx_length", found: "\(virtualTokenCount)", expected: "at least 1"))
    }
    host.setTrainable(false)
    let embedding = Embedding(virtualTokenCount, host.hiddenSize, .normal(deviation: 1))
    if let tokens, !tokens.isEmpty {
      let table = host.tokenTable
      embedding.cell.value = withoutGradients {
        gatherRows(table, (0..<virtualTokenCount).map { tokens[$0 % tokens.count] })
      }
    }
    host.virtualTokens = embedding
  }
}

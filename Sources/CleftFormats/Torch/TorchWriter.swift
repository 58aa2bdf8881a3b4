import CleftTensor
import Foundation

/// Writes the zip archives that `torch.load` reads, `weights_only` included.
public enum TorchWriter {
  /// Writes weights beside their place and renames them.
  ///
  /// The file holds `values` and then the tensors under `state_dict`, as Lightning's `.ckpt` does; or, if `isBare`, the
  /// tensors alone, as `.pth` and `pytorch_model.bin` do. Tensors that share their memory share it in the file.
  /// Integral scalars under keys that end in `num_batches_tracked` are written as int64.
  ///
  /// - Parameters:
  ///   - stateDict: tensors, keys in the order given.
  ///   - integers: tensors of integers, behind the others.
  ///   - values: entries of the top dictionary before the weights; none for a bare file.
  ///   - references: tensors that `values` refer to, float32 whatever the type of the weights.
  ///   - dtype: float32, or bfloat16 or float16 rounded to nearest, ties to even.
  ///   - isBare: whether the state_dict is the whole file.
  /// - Throws: `FormatError.system`, or `.malformed` naming a tensor with a number too large for the type, or a value
  ///   that has no plain form.
  public static func write(
    stateDict: [(key: String, tensor: Tensor)], integers: [IntegerTensor] = [],
    values: [(String, TorchValue)] = [], references: [(key: String, tensor: Tensor)] = [],
    dtype: DType = .float32, isBare: Bool = false, to path: String
  ) throws(FormatError) {
    precondition(
      (values.isEmpty && references.isEmpty) || !isBare, "torch writer: values in a bare state_dict")
    let (pickle, weights) = try pickle(
      stateDict, integers, values, references, dtype, isBare: isBare, path: path)
    let stored = stateDict + references
    // The references' storages come first.
    let storages =
      references.indices.map { Member(tensor: stateDict.count + $0, dtype: .float32, isInteger: false) }
      + weights
    try FileSystem.write(to: path) { handle in
      var archive = ZipWriter(handle)
      try archive.add("archive/data.pkl", pickle)
      try archive.add("archive/byteorder", Data("little".utf8))
      for (index, storage) in storages.enumerated() {
        if storage.isInteger {
          try archive.add("archive/data/\(index)", integers[storage.tensor].bytes)
          continue
        }
        let (key, tensor) = stored[storage.tensor]
        let size = tensor.count * storage.dtype.byteCount
        try archive.add("archive/data/\(index)", size: size) { write in
          if storage.dtype == .int64 {
            var number = Int64(tensor.item).littleEndian
            return try write(Data(bytes: &number, count: 8))
          }
          try TensorStream(dtype: storage.dtype, path: path).write(tensor, key: key, write)
        }
      }
      try archive.add("archive/version", Data("3\n".utf8))
      try archive.finish()
    }
  }

  /// Which tensor's elements a storage holds, and as what.
  private struct Member {
    let tensor: Int
    let dtype: DType
    let isInteger: Bool
  }

  /// Tensors with the same one have the same elements.
  private struct Identity: Hashable {
    let address: UInt
    let count: Int
    let dtype: DType
  }

  private static func pickle(
    _ stateDict: [(key: String, tensor: Tensor)], _ integers: [IntegerTensor],
    _ values: [(String, TorchValue)], _ references: [(key: String, tensor: Tensor)], _ dtype: DType,
    isBare: Bool, path: String
  ) throws(FormatError) -> (Data, [Member]) {
    var pickler = Pickler()
    for (index, (key, tensor)) in references.enumerated() {
      pickler.references[key] = (tensor.shape, "\(index)")
    }
    if !isBare {
      pickler.open("}(")
      for (name, value) in values {
        pickler.write(name)
        guard pickler.write(value) else {
          throw .malformed(
            Problem(
              "\(path): \(name)", found: "a value without a plain form",
              expected: "numbers, texts, lists and dictionaries"))
        }
      }
      pickler.write("state_dict")
    }
    pickler.orderedDictionary()
    pickler.open("(")
    var members: [Member] = []
    var known: [Identity: Int] = [:]
    for (index, (key, tensor)) in stateDict.enumerated() {
      let type = isCounter(key, tensor) ? DType.int64 : dtype
      let identity = Identity(
        address: tensor.read { UInt(bitPattern: $0) }, count: tensor.count, dtype: type)
      let storage = (tensor.count > 0 ? known[identity] : nil) ?? members.count
      if storage == members.count { members.append(Member(tensor: index, dtype: type, isInteger: false)) }
      known[identity] = storage
      pickler.write(key)
      pickler.write(shape: tensor.shape, dtype: type, storage: "\(references.count + storage)")
    }
    for (index, tensor) in integers.enumerated() {
      pickler.write(tensor.key)
      pickler.write(
        shape: tensor.shape, dtype: tensor.dtype, storage: "\(references.count + members.count)")
      members.append(Member(tensor: index, dtype: tensor.dtype, isInteger: true))
    }
    pickler.open(isBare ? "u" : "uu")
    return (pickler.finished, members)
  }

  /// Whether a tensor counts batches, which PyTorch does in integers.
  private static func isCounter(_ key: String, _ tensor: Tensor) -> Bool {
    guard key.hasSuffix("num_batches_tracked"), tensor.count == 1 else { return false }
    return Int64(exactly: tensor.item) != nil
  }
}

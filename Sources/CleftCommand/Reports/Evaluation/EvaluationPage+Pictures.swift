import CleftMetrics
import CleftTraining
import Foundation

/// The best and the worst pictures: what is true, what the model says, and where it looked.
extension EvaluationPage {
  var pictures: String {
    if examples.isEmpty { return "<p>No pictures are stored with this evaluation.</p>" }
    let groups = [(true, "Right, and most surely so"), (false, "Wrong, and most surely so")].compactMap {
      isRight, title -> String? in
      let cards = examples.filter { $0.isRight == isRight }.map(example)
      if cards.isEmpty { return nil }
      return "<h3>\(title)</h3><div class=\"examples\">\(cards.joined(separator: "\n"))</div>"
    }
    return explanation(
      "Pictures as the model sees them. Maps are drawn over the picture: where they are bright, it looked; a map is a hint, "
        + "not a proof."
    ) + groups.joined(separator: "\n")
  }

  private func example(_ example: PageExample) -> String {
    let maps = example.answers.flatMap { answer in
      answer.maps.map { map in
        let what = "\(answer.name): \(map.title)"
        return view(map.png, alt: "Map over the picture. \(what)", caption: what)
      }
    }
    let picture = view(
      example.picture, alt: "Picture \(example.path), which is \(example.truth)",
      caption: "what the model sees")
    let bars = example.answers.map { answer in
      """
      <li><span class="name">\(answer.name.escaped)\(answer.isTrue ? " <b class=\"true\">✓ true</b>" : "")</span>\
      \(Self.bar(answer.probability, isTrue: answer.isTrue))\
      <span class="p">\(MetricText.percent(answer.probability))</span></li>
      """
    }
    return """
      <article class="example"><h4>\(MetricText.sentence(example.title).escaped)</h4>
      <p class="truth">True: <b>\(example.truth.isEmpty ? "none of the classes" : example.truth.escaped)</b></p>
      <div class="views">\(([picture] + maps).joined(separator: "\n"))</div>
      <ul class="bars">\(bars.joined(separator: "\n"))</ul>
      <p class="source">\(example.path.escaped)</p></article>
      """
  }

  private func view(_ picture: Data, alt: String, caption: String) -> String {
    """
    <figure><img src="data:image/png;base64,\(picture.base64EncodedString())" alt="\(alt.escaped)"/>\
    <figcaption>\(caption.escaped)</figcaption></figure>
    """
  }

  private static func bar(_ probability: Double, isTrue: Bool) -> String {
    let width = String(format: "%.2f", 100 * min(1, max(0, probability.isFinite ? probability : 0)))
    return """
      <svg class="bar\(isTrue ? " own" : "")" width="100%" height="10" aria-hidden="true">\
      <rect class="track" width="100%" height="10" rx="2"/><rect width="\(width)%" height="10" rx="2"/></svg>
      """
  }
}

import Foundation

/// A page of HTML that needs nothing but itself.
struct HTMLPage {
  let title: String
  /// Rules beyond those of every page.
  var style = ""
  /// What stands below the title.
  let header: String
  let sections: [String]

  func html() -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8"/>
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <meta http-equiv="Content-Security-Policy" content="\(Self.policy)"/>
    <title>\(title.escaped)</title>
    <style>\(Self.css)\(style)</style>
    </head>
    <body>
    <header>
    <h1>\(title.escaped)</h1>
    \(header)
    </header>
    <main>
    \(sections.joined(separator: "\n"))
    </main>
    </body>
    </html>

    """
  }

  /// Nothing is fetched and nothing runs, whatever names and texts a page shows.
  private static let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

  /// A table with a caption for those who do not see the page; `body` is HTML.
  static func table(_ title: String, head: [String], body: String) -> String {
    let columns = head.map { "<th scope=\"col\">\($0.escaped)</th>" }.joined()
    return """
      <div class="wide"><table class="list"><caption>\(title.escaped)</caption>\
      <thead><tr>\(columns)</tr></thead><tbody>\(body)</tbody></table></div>
      """
  }

  /// How every page looks, on light and dark screens and on paper.
  private static let css = """

    :root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #59636e; --rule: #d8dee4;
      --panel: #f6f8fa; --bar: #2f6fb5; --good: #1a7f37; --bad: #c0262d; --warn: #9a6700 }
    @media screen and (prefers-color-scheme: dark) { :root { --page: #12161b; --ink: #e6eaef; --soft: #9aa5b1;
      --rule: #303842; --panel: #1a2027; --bar: #6aaaf0; --good: #57c46f; --bad: #ff7b72; --warn: #e0b040 } }
    * { box-sizing: border-box }
    body { margin: 0 auto; padding: 1rem; max-width: 88rem; background: var(--page); color: var(--ink);
      font: 14px/1.45 system-ui, sans-serif }
    h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1.15rem; margin: 0 0 .5rem }
    h3 { font-size: 1rem; margin: .8rem 0 .3rem }
    section { border-top: 1px solid var(--rule); padding: 1rem 0 }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums }
    caption { text-align: left; color: var(--soft); padding: .4rem 0 }
    th, td { padding: .15rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule);
      overflow-wrap: anywhere }
    th { font-weight: 600 } td.n { text-align: right }
    .wide { overflow-x: auto } .list { width: 100% } .list td.n { width: 5rem }
    .list th, .list td:first-child { white-space: nowrap; overflow-wrap: normal }
    svg { display: block; max-width: none } svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
    svg text.n { fill: var(--soft) }
    @media print { body { max-width: none; padding: 0 } .wide { overflow: visible } tr { break-inside: avoid }
      .list th, .list td { padding: .1rem .3rem .1rem 0; font-size: 7.6pt } .list th[scope=col] { white-space: normal } }

    """
}

extension String {
  /// For text and attributes of HTML, which has no place for control characters.
  var escaped: String {
    let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 && ![0x09, 0x0A].contains(scalar.value)
    }
    guard !unicodeScalars.contains(where: isControl) else {
      return String(String.UnicodeScalarView(unicodeScalars.map { isControl($0) ? "\u{FFFD}" : $0 })).escaped
    }
    return replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
  }
}

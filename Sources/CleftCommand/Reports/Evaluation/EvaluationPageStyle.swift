/// How the page of an evaluation looks beyond what all pages have in common.
enum EvaluationPageStyle {
  static let css = RunCurve.css + RunChart.css + frame + tables + figures + narrow + print

  private static let frame = """

    :root { --reach: #2f6fb5; --right: 40 110 200; --wrong: 230 120 20; --quiet: #8a94a0 }
    @media screen and (prefers-color-scheme: dark) { :root { --reach: #6aaaf0; --right: 70 140 230;
      --wrong: 225 125 40; --quiet: #6d7885 } }
    body { max-width: 76rem; font-size: 15px; padding: 1.5rem 1.25rem 3rem }
    h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -.01em; overflow-wrap: anywhere }
    h2 { font-size: 1.25rem; margin: 0 0 .4rem } h3 { margin: 1.4rem 0 .3rem } h4 { font-size: 1rem; margin: 0 }
    section { padding: 1.75rem 0 1.25rem; scroll-margin-top: .5rem }
    main section:first-child { border-top: 0; padding-top: 1rem }
    p { overflow-wrap: anywhere; margin: .3rem 0 } small { color: var(--soft); font-size: .86em }
    .lead { font-size: 1.05rem; margin-top: .5rem } .source { color: var(--soft); font-size: .87rem }
    .what { color: var(--soft); max-width: 46rem; margin: 0 0 1rem }
    nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin-top: 1rem; padding: .6rem 0;
      border-block: 1px solid var(--rule); font-size: .9rem }
    nav a { color: var(--reach); text-decoration: none } nav a:hover { text-decoration: underline }
    a:focus-visible, .wide:focus-visible { outline: 2px solid var(--reach); outline-offset: 2px }
    .callouts { list-style: none; margin: 0 0 1.25rem; padding: 0; display: grid; gap: .5rem }
    .callouts li { padding: .55rem .8rem; background: var(--panel); border-left: 4px solid var(--quiet);
      border-radius: 3px; overflow-wrap: anywhere }
    .callouts b { margin-right: .35rem } .callouts .warning { border-left-color: var(--warn) }
    .callouts .warning b { color: var(--warn) }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15.5rem), 1fr)); gap: 0 1rem }
    .tile { border: 1px solid var(--rule); border-radius: 8px; padding: .9rem 1.1rem .8rem; break-inside: avoid;
      display: grid; grid-row: span 5; grid-template-rows: subgrid; margin-bottom: 1rem }
    .tile h3 { margin: 0; font-size: .92rem; font-weight: 600; color: var(--soft) }
    .big { display: block; font-size: 2.1rem; font-weight: 650; line-height: 1.25; letter-spacing: -.015em;
      font-variant-numeric: tabular-nums; margin: .1rem 0 .35rem }
    .big.undefined { font-size: 1.5rem; line-height: 1.75 }
    .beside { margin: .35rem 0 0; font-size: .87rem; font-variant-numeric: tabular-nums }
    .beside span { display: block } .beside span:last-child { color: var(--soft) }
    .beside span:empty { display: none }
    .note { color: var(--soft); font-size: .87rem; margin: 0 }
    .undefined { color: var(--soft); font-style: italic; font-weight: 400 }
    .plot { overflow: visible; width: calc(100% - 10px); margin: 0 5px }
    .plot .track { stroke: var(--rule); stroke-width: 2 } .plot .reach { stroke: var(--reach); stroke-width: 4;
      stroke-opacity: .55 } .plot .mark { stroke: var(--quiet); stroke-width: 2 } .plot .dot { fill: var(--reach) }

    """

  private static let tables = """

    table.stack { width: 100%; margin: .25rem 0 1rem }
    caption { font-size: .87rem; overflow-wrap: anywhere }
    .stack th, .stack td { padding: .4rem .75rem; vertical-align: middle } .stack thead th { vertical-align: bottom }
    .stack th:first-child { padding-left: 0 } .stack td:last-child, .stack thead th:last-child { padding-right: 0 }
    .stack thead th { font-size: .87rem; color: var(--soft); border-bottom: 1px solid var(--quiet);
      overflow-wrap: normal }
    .stack tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 9rem }
    .stack tbody th small { font-weight: 400 }
    .stack thead th:first-child { overflow-wrap: anywhere } .stack .n { text-align: right } .stack td.n { overflow-wrap: normal } .stack small { display: block }
    .stack td.m { min-width: 16rem } .stack .none { color: var(--soft) }
    .stack.short { max-width: 54rem } .stack.short tbody th { width: 40% }
    .metric { display: grid; grid-template-columns: minmax(4rem, 1fr) 4.4rem 7.6rem; align-items: center; gap: 0 .5rem }
    .metric b { grid-column: 2; text-align: right; font-weight: 600; white-space: nowrap }
    .metric .reach { grid-column: 3; color: var(--soft); font-size: .87rem; white-space: nowrap }
    .metric .guess { grid-column: 3; color: var(--soft); font-size: .82rem }
    .stack thead th small { display: block; font-weight: 400 }
    .quotes { list-style: none; margin: 0; padding: 0 } .quotes li + li { margin-top: .2rem }
    q { quotes: "“" "”" }
    .heat { border-collapse: separate; border-spacing: 2px; margin-bottom: .5rem }
    .heat th, .heat td { border: 0; overflow-wrap: normal } .heat thead th { vertical-align: bottom; text-align: center;
      font-size: .87rem; color: var(--soft) }
    .heat caption span { display: inline-block; position: sticky; left: 0; width: max-content;
      max-width: min(46rem, 100vw - 2.5rem) } .heat tbody th div { display: grid; grid-template-columns: auto 1fr }
    .heat tbody th, .heat thead th:first-child { text-align: left; position: sticky; left: 0;
      background: var(--page); min-width: 9rem; max-width: 13rem; padding-left: 0; overflow-wrap: anywhere;
      vertical-align: middle } .heat.named .no { display: none } .heat thead th { max-width: 9rem }
    .heat td { text-align: center; vertical-align: middle; min-width: 3.4rem; padding: .3rem .35rem; border-radius: 3px; --depth: 0 }
    .heat td small { display: block; color: inherit; white-space: nowrap }
    .heat .right { background: rgb(var(--right) / var(--depth)); box-shadow: inset 0 0 0 1.5px var(--reach) }
    .heat .wrong { background: rgb(var(--wrong) / var(--depth)) } .heat .sum { color: var(--soft) }
    .heat td.sum { vertical-align: middle }
    .heat tbody .no { min-width: 1.7rem } .heat .no { color: var(--soft); font-weight: 400 }
    abbr { text-decoration: none }
    .facts { margin: 0 } .facts div { display: grid; grid-template-columns: 13rem 1fr; gap: 0 1rem;
      padding: .2rem 0; border-bottom: 1px solid var(--rule); break-inside: avoid }
    .facts dt { color: var(--soft); overflow-wrap: anywhere } .facts dd { margin: 0; overflow-wrap: anywhere }
    .facts.many { columns: 30rem 2; column-gap: 2.5rem }

    """

  private static let figures = """

    .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 2rem }
    figure { margin: 0; break-inside: avoid } .share svg { width: 100%; max-width: 30rem; height: auto }
    .share figcaption { font-weight: 600; margin-bottom: .3rem }
    .share polyline, .panel polyline { fill: none; stroke-width: 2; stroke-linejoin: round }
    .share circle { fill: currentColor; stroke: none }
    .chance { stroke: var(--quiet); stroke-width: 1.3; stroke-dasharray: 4 4 }
    rect.count { fill: currentColor; stroke: none; fill-opacity: .45 }
    ul.legend { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr));
      gap: .5rem 1.5rem; margin: .75rem 0; max-width: 64rem }
    .legend li { display: grid; grid-template-columns: 40px 1fr; gap: 0 .6rem } .legend .sample { margin-top: .4rem }
    .legend small { display: block }
    .panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21.5rem), 1fr));
      gap: 1.25rem 1.5rem } .panel > div { display: flex; gap: .5rem; flex-wrap: wrap }
    .panel figcaption { margin-bottom: .3rem; overflow-wrap: anywhere }
    .panel small { display: block } .panel svg text { font-size: 11px }
    .examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem }
    .example { border: 1px solid var(--rule); border-radius: 8px; padding: .9rem 1.1rem; break-inside: avoid }
    .example h4, .truth { overflow-wrap: anywhere }
    .views figure { max-width: 12rem } .views { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.2rem, 1fr)); gap: .5rem; margin: .6rem 0 }
    .views img { display: block; width: 100%; height: auto; background: #000; border-radius: 3px }
    .views figcaption { color: var(--soft); font-size: .82rem; line-height: 1.3; padding-top: .25rem;
      overflow-wrap: anywhere }
    .bars { list-style: none; margin: .4rem 0; padding: 0 }
    .bars li { display: grid; grid-template-columns: minmax(7.6rem, 2fr) 3fr 3.8rem; gap: .6rem; align-items: center;
      padding: .1rem 0 } .bars .name { overflow-wrap: anywhere } .bars .p { text-align: right;
      font-variant-numeric: tabular-nums } .true { color: var(--reach); white-space: nowrap; font-size: .87em }
    .bar rect { fill: var(--quiet) } .bar.own rect { fill: var(--reach) } .bar rect.track { fill: var(--rule) }

    """

  /// The drawing above the number and its interval, where columns are many or the page is not wide.
  private static func dense(_ scope: String) -> String {
    """
    \(scope) td.m { min-width: 7rem }
    \(scope) .metric { display: flex; flex-wrap: wrap; align-items: baseline }
    \(scope) .metric .plot, \(scope) .metric .guess { flex: 1 0 calc(100% - 10px) }

    """
  }

  /// Below this width the cells of a row stand one below the other, each with the name of its column.
  private static let narrow = """

    @media screen and (min-width: 761px) { \(dense(".stack.dense")) }
    @media screen and (min-width: 761px) and (max-width: 1180px) { \(dense(".stack")) }
    @media screen and (min-width: 761px) and (max-width: 980px) { .stack th, .stack td { padding-inline: .35rem;
      font-size: .93em } .stack tbody th { min-width: 7rem } }
    @media screen and (max-width: 760px) {
    .stack, .stack tbody, .stack tr, .stack tbody th, .stack caption { display: block }
    .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
      white-space: nowrap }
    .stack tr { border-bottom: 1px solid var(--rule); padding: .55rem 0 }
    .stack tbody th, .stack td, .stack.short tbody th { border: 0; padding: .12rem 0; min-width: 0; width: auto }
    .stack td { display: flex; gap: 0 .6rem; flex-wrap: wrap; justify-content: space-between; align-items: baseline }
    .stack td::before { content: attr(data-label); color: var(--soft); font-size: .87rem; flex: 1 1 6rem;
      text-align: left }
    .stack td.n small { display: inline } .stack td.t { display: block } .stack td.t::before { display: block }
    .stack td > small { flex: 1 0 100%; text-align: right } .stack td.n > small { flex: none }
    .stack td.m .metric { display: contents } .stack td.m .plot { order: 2; margin: .1rem 5px .3rem }
    .stack td.m .guess { order: 3; flex: 1 0 100%; text-align: right }
    .facts div { grid-template-columns: minmax(7rem, 2fr) 3fr } }
    @media screen and (max-width: 480px) { body { padding: 1rem 1rem 2rem }
    .heat tbody th, .heat thead th:first-child { min-width: 8rem; max-width: 8rem; font-size: .8rem; padding-right: 0 }
    .heat.named .no { display: inline } .heat tbody .no { min-width: .9rem } .heat thead .name { position: absolute; width: 1px; height: 1px;
      overflow: hidden; clip-path: inset(50%) } .heat td { min-width: 2.4rem; padding: .3rem 0 }
    .heat td small { font-size: .78em } .heat td.sum { min-width: 1.9rem } .heat thead th { padding: .15rem 0 } }

    """

  private static let print = """

    @page { margin: 14mm }
    @media print { * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
    body { font-size: 9.5pt; max-width: none } nav { display: none } h2, h3, .what, caption { break-after: avoid }
    p { break-inside: avoid }
    section { padding: .8rem 0 } .tiles { grid-template-columns: repeat(4, 1fr); gap: .5rem } .big { font-size: 1.6rem }
    .tile { padding: .5rem .6rem } .pair { grid-template-columns: 1fr 1fr } .panels { grid-template-columns: 1fr 1fr }
    .stack th, .stack td { padding: .2rem .4rem } .stack tbody th { min-width: 7rem } \(dense(".stack"))
    tr, .tile, .example { break-inside: avoid } .stack tbody th { max-width: 12rem }
    #thresholds .stack { font-size: 8pt } #thresholds .stack small { font-size: 1em } #thresholds .stack th, #thresholds .stack td { padding: .2rem .25rem }
    .examples { grid-template-columns: 1fr 1fr } .views { grid-template-columns: repeat(4, 1fr) }
    .example { padding: .5rem .6rem }
    .heat { font-size: 8.5pt; border-spacing: 1px } .heat td small { font-size: 7.6pt }
    .heat td { min-width: 0; padding: .15rem } .heat thead th { max-width: none; padding: .15rem }
    .heat tbody th, .heat thead th:first-child { position: static; min-width: 6rem; max-width: 8rem }
    .facts.many { columns: 2 } .facts div { grid-template-columns: 9rem 1fr } }

    """
}

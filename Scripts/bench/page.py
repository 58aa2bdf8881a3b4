#!/usr/bin/env python3
"""Looks at pages in headless Chromium and lists what a reader would stumble over.

The browser is spoken to over its debugging pipe, two inherited file descriptors with JSON between zero bytes, so neither
a port nor a library is needed. Widths below 500 pixels are emulated: windows do not get that narrow.

Looked at: 1,280 and 400 pixels, each light and dark, 820 pixels, and the width of an A4 page as it is printed. Looked for: errors on
the console; anything asked of disk or network beyond the page; a page wider than its window; text that is clipped, pokes
out of its box or its drawing, or lies over other text; text below 10 pixels or with a contrast below 4.5; pictures that
do not load; missing names for those who do not see; links that lead nowhere; scripts.

Run it through `Scripts/bench/page`. Exit status 1 where something is wrong.
"""
import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

VIEWS = [
    ("1280-light", 1280, "screen", "light"),
    ("1280-dark", 1280, "screen", "dark"),
    ("820-light", 820, "screen", "light"),
    ("400-light", 400, "screen", "light"),
    ("400-dark", 400, "screen", "dark"),
    # A4 less margins of 14 mm.
    ("print", 688, "print", "light"),
]
SECONDS = 60
# Chromium draws no picture taller than this at once.
TALLEST = 8000


class Browser:
    """A headless Chromium at the other end of a pipe."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="cleft-page-")
        to_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()

        def place():
            # Both are copied away first: either may have the number of the other's place.
            read, write = os.dup(to_browser), os.dup(from_browser)
            os.dup2(read, 3)
            os.dup2(write, 4)

        options = [
            "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
            "--disable-dev-shm-usage", "--font-render-hinting=none", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={self.folder}",
        ]
        if os.geteuid() == 0:
            # Chromium's sandbox refuses root.
            options.append("--no-sandbox")
        self.process = subprocess.Popen(
            [program, *options, "about:blank"], close_fds=False, preexec_fn=place, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.rest = b""
        self.number = 0
        self.session = None
        self.events = []

    def receive(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.reader], [], [], max(0, end - time.monotonic()))
            data = os.read(self.reader, 1 << 20) if ready else b""
            if not data:
                sys.exit(f"page: the browser {'ended' if ready else f'said nothing for {SECONDS} s'}")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **values):
        self.number += 1
        message = {"id": self.number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"page: {method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=SECONDS)
        os.close(self.reader)
        os.close(self.writer)
        shutil.rmtree(self.folder, ignore_errors=True)


# Returns a list of [kind, text]; everything is measured as it is shown.
LOOK = r"""
(() => {
const found = [], say = (kind, text) => found.push([kind, text]);
const root = document.scrollingElement, width = document.documentElement.clientWidth;
const short = text => { const t = text.trim().replace(/\s+/g, ' '); return t.length > 60 ? t.slice(0, 57) + '…' : t; };
const where = e => e.closest('[id]') ? ' in #' + e.closest('[id]').id : '';
const name = e => e.tagName.toLowerCase() + (e.getAttribute('class') ? '.' + e.getAttribute('class').split(' ')[0] : '') + where(e);
if (root.scrollWidth > width + 1) {
  let worst = [...document.body.querySelectorAll('*')].map(e => [e.getBoundingClientRect().right, e])
    .sort((a, b) => b[0] - a[0]).slice(0, 3).map(([r, e]) => name(e) + ' to ' + Math.round(r));
  say('wide', `the page is ${root.scrollWidth} px wide in a window of ${width}: ${worst.join(', ')}`);
}
// What is there for screen readers alone has no looks.
const hidden = e => { for (; e; e = e.parentElement) { const s = getComputedStyle(e);
  if (s.display === 'none' || s.visibility === 'hidden') return true;
  if (s.clipPath !== 'none' && e.clientWidth <= 1) return true; } return false; };
for (const e of document.body.querySelectorAll('*')) {
  const s = getComputedStyle(e);
  if (['hidden', 'clip'].includes(s.overflowX) && !(e instanceof SVGElement) && e.scrollWidth > e.clientWidth + 1 && !hidden(e))
    say('clipped', `${name(e)}: '${short(e.textContent)}'`);
}
const parse = c => { const n = c.match(/-?[\d.]+(e-?\d+)?/g); if (!n) return [0, 0, 0, 0];
  const k = c.startsWith('color(') ? 255 : 1; return [n[0] * k, n[1] * k, n[2] * k, n.length > 3 ? +n[3] : 1]; };
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const luminance = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
  return .2126 * r + .7152 * g + .0722 * b; };
const canvas = () => { const c = parse(getComputedStyle(document.body).backgroundColor);
  return c[3] ? c : [255, 255, 255, 1]; };
const ground = e => { const layers = []; for (; e; e = e.parentElement) { const s = getComputedStyle(e);
  if (s.backgroundImage !== 'none') return null; layers.push(parse(s.backgroundColor)); }
  return layers.reverse().reduce((below, top) => over(top, below), canvas()); };
const clip = (r, e) => { let [l, t, b, x] = [r.left, r.top, r.bottom, r.right];
  for (; e && e !== document.body; e = e.parentElement) { const s = getComputedStyle(e);
    if (s.overflowX === 'visible' || e instanceof SVGElement) continue; const q = e.getBoundingClientRect();
    l = Math.max(l, q.left); x = Math.min(x, q.right); t = Math.max(t, q.top); b = Math.min(b, q.bottom); }
  return { left: l, top: t, bottom: b, right: x }; };
const scroller = e => { for (; e && e !== document.body; e = e.parentElement)
  if (['auto', 'scroll'].includes(getComputedStyle(e).overflowX)) return e; return null; };
const boxes = [], main = document.querySelector('main');
const room = main ? main.getBoundingClientRect() : { left: 0, right: width };
let textCount = 0;
const see = (node, e, rects, size) => {
  textCount += 1;
  const text = short(node.textContent);
  if (size < 9.95) say('small', `${size.toFixed(1)} px: '${text}', ${name(e)}`);
  const s = getComputedStyle(e), svg = e.closest('svg');
  const back = ground(svg ? svg.parentElement : e);
  if (back) {
    let alpha = 1; for (let p = e; p; p = p.parentElement) alpha *= +getComputedStyle(p).opacity;
    const ink = parse(svg ? s.fill : s.color); ink[3] *= alpha;
    const [a, b] = [luminance(over(ink, back)), luminance(back)].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05);
    if (contrast < 4.5) say('faint', `contrast ${contrast.toFixed(1)}: '${text}', ${name(e)}`);
  }
  const lines = rects.filter(r => r.width > .5).length;
  if (!svg && lines > 4 && node.textContent.trim().length / lines < 5) say('narrow', `'${text}' has ${lines} lines, ${name(e)}`);
  for (const r of rects) {
    if (r.width < .5 || r.height < .5) continue;
    if (svg) { const q = svg.getBoundingClientRect();
      if (r.left < q.left - 1 || r.right > q.right + 1 || r.top < q.top - 1 || r.bottom > q.bottom + 1)
        say('outside', `'${text}' leaves its drawing, ${name(svg)}`);
    } else {
      let p = e; while (p && getComputedStyle(p).display === 'inline') p = p.parentElement;
      const q = p.getBoundingClientRect();
      if (r.left < q.left - 1.5 || r.right > q.right + 1.5) say('outside', `'${text}' pokes out of ${name(p)}`);
    }
    if (!scroller(e) && (r.left < room.left - 1 || r.right > room.right + 1)) say('outside', `'${text}' leaves the page, ${name(e)}`);
    const c = clip(r, e);
    if (c.right - c.left < 1 || c.bottom - c.top < 1) continue;
    // Letters fill the middle of their lines.
    const trim = svg && e.getAttribute('transform') ? 0 : (c.bottom - c.top) * .18;
    boxes.push({ left: c.left, right: c.right, top: c.top + trim, bottom: c.bottom - trim, node, text, e });
  }
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, e = node.parentElement;
  if (!node.textContent.trim() || ['STYLE', 'SCRIPT', 'title'].includes(e.tagName) || hidden(e)) continue;
  if (e.closest('svg')) continue;
  const range = document.createRange(); range.selectNodeContents(node);
  see(node, e, [...range.getClientRects()], parseFloat(getComputedStyle(e).fontSize));
}
for (const t of document.querySelectorAll('svg text')) {
  if (!t.textContent.trim() || hidden(t)) continue;
  const m = t.getScreenCTM();
  see(t, t, [t.getBoundingClientRect()], parseFloat(getComputedStyle(t).fontSize) * Math.hypot(m.a, m.b));
}
boxes.sort((a, b) => a.top - b.top);
for (let i = 0; i < boxes.length; i++)
  for (let k = i + 1; k < boxes.length && boxes[k].top < boxes[i].bottom; k++) {
    const a = boxes[i], b = boxes[k];
    if (a.node === b.node) continue;
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left), y = Math.min(a.bottom, b.bottom) - b.top;
    if (x > 1.5 && y > 1.5) say('overlap', `'${a.text}' and '${b.text}'${where(a.e)}`);
  }
for (const image of document.images) {
  if (!image.complete || !image.naturalWidth) say('picture', `does not load: '${image.alt}'`);
  if (!image.hasAttribute('alt')) say('name', 'a picture has no alt text' + where(image));
}
for (const svg of document.querySelectorAll('svg'))
  if (svg.getAttribute('aria-hidden') !== 'true' && !svg.getAttribute('aria-label')) say('name', 'a drawing has no label' + where(svg));
for (const table of document.querySelectorAll('table'))
  if (!table.caption && table.querySelector('thead')) say('name', 'a table has no caption' + where(table));
if (!document.documentElement.lang) say('name', 'the page has no language');
if (!document.title) say('name', 'the page has no title');
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
for (const id of ids) if (ids.filter(other => other === id).length > 1) say('link', `two elements are #${id}`);
for (const a of document.querySelectorAll('a[href]')) {
  const h = a.getAttribute('href');
  if (!h.startsWith('#')) say('link', `leads out of the page: ${h}`);
  else if (!document.getElementById(decodeURIComponent(h.slice(1)))) say('link', `leads nowhere: ${h}`);
}
for (const e of document.querySelectorAll('script, link, iframe, object, embed')) say('script', name(e));
for (const e of document.querySelectorAll('*'))
  for (const attribute of e.attributes) if (attribute.name.startsWith('on')) say('script', `${name(e)} has ${attribute.name}`);
const scrolls = [...document.querySelectorAll('*')].filter(e => scroller(e) === e && e.scrollWidth > e.clientWidth + 1).map(name);
return { found, textCount, imageCount: document.images.length, scrolls, height: root.scrollHeight };
})()
"""


def trouble(event, page):
    """What an event of the browser says is wrong; nil for others."""
    method, values = event.get("method"), event.get("params", {})
    if method == "Runtime.exceptionThrown":
        return "error", values["exceptionDetails"].get("text", "an exception")
    if method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
        return "error", " ".join(str(argument.get("value", "")) for argument in values["args"])
    if method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
        return "error", values["entry"]["text"]
    if method == "Network.requestWillBeSent":
        address = values["request"]["url"]
        if address.split("#")[0] != page and not address.startswith("data:"):
            return "request", address
    if method == "Network.loadingFailed":
        return "request", f"failed: {values.get('errorText', '')}"
    return None


def shoot(browser, path, width, height):
    """Writes screenshots of the whole page; of a tall one several."""
    pieces = [(top, min(TALLEST, height - top)) for top in range(0, max(1, height), TALLEST)]
    for number, (top, tall) in enumerate(pieces):
        clip = {"x": 0, "y": top, "width": width, "height": tall, "scale": 1}
        data = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        name = f"{path}.png" if len(pieces) == 1 else f"{path}-{number + 1}.png"
        pathlib.Path(name).write_bytes(base64.b64decode(data))


def look(browser, page, view, screenshots):
    """Problems of one page in one view, and a line about what was seen."""
    name, width, media, scheme = view
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.call(
        "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
    address = page.resolve().as_uri()
    failure = browser.call("Page.navigate", url=address).get("errorText")
    if failure:
        return [("error", failure)], "not opened"
    browser.wait("Page.loadEventFired")
    result = browser.call("Runtime.evaluate", expression=LOOK, returnByValue=True)
    if "exceptionDetails" in result:
        sys.exit(f"page: {result['exceptionDetails']['exception'].get('description')}")
    seen = result["result"]["value"]
    problems = [tuple(problem) for problem in seen["found"]]
    problems += [found for event in browser.events if (found := trouble(event, address))]
    if not seen["textCount"]:
        problems.append(("empty", "there is no text"))
    if screenshots:
        base = os.path.join(screenshots, f"{page.parent.name}-{page.stem}-{name}")
        shoot(browser, base, width, seen["height"])
        if media == "print":
            data = browser.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True, paperWidth=8.27,
                                paperHeight=11.69)["data"]
            pathlib.Path(base + ".pdf").write_bytes(base64.b64decode(data))
    text = f"{seen['textCount']} texts, {seen['imageCount']} pictures, {seen['height']} px tall"
    if seen["scrolls"]:
        text += f"; scrolls sideways: {', '.join(seen['scrolls'])}"
    return problems, text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path, metavar="REPORT.html")
    parser.add_argument("--screenshots", metavar="FOLDER", help="where pictures of every view and a PDF go")
    parser.add_argument("--limit", type=int, default=12, metavar="N", help="problems of a view that are written out")
    options = parser.parse_args()
    for page in options.pages:
        if not page.is_file():
            print(f"page: {page}: not there", file=sys.stderr)
            sys.exit(66)
    if options.screenshots:
        os.makedirs(options.screenshots, exist_ok=True)
    browser = Browser(os.environ.get("CHROMIUM", "chromium"))
    failures = 0
    try:
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            browser.call(f"{domain}.enable")
        for page in options.pages:
            for view in VIEWS:
                problems, text = look(browser, page, view, options.screenshots)
                problems = list(dict.fromkeys(problems))
                failures += len(problems)
                print(f"{'FAIL' if problems else 'OK  '} {page} {view[0]}: {text}")
                for kind, what in problems[:options.limit]:
                    print(f"     {kind}: {what}")
                if len(problems) > options.limit:
                    print(f"     and {len(problems) - options.limit} more")
    finally:
        browser.close()
    if failures:
        print(f"{failures} problems")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

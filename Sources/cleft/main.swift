import CleftCommand
import CleftImaging
import CleftFormats
import CleftText
import Foundation
let dir = "../shared/fixtures/"
for (tok, gold) in [("tokenizer/tokenizer.json","tokenizer/goldens.json"),("tokenizer/vocab.json","tokenizer/goldens.json"),("tokenizer/tiny/tokenizer.json","tokenizer/tiny/goldens.json"),("tokenizer/tiny/tokenizer_string_merges.json","tokenizer/tiny/goldens.json"),("tokenizer/tiny/vocab.json","tokenizer/tiny/goldens.json")] {
  let t = try TokenizerFiles.read(dir + tok)
  let g = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: dir+gold))) as! [String: Any]
  var bad = 0, n = 0
  for s in g["strings"] as! [[String: Any]] { n += 1; let ids = t.encode(s["text"] as! String); if ids != s["ids"] as! [Int] { bad += 1; print(s["text"]!, ids, s["ids"]!) } }
  print(tok, n, "bad", bad, t.vocabularySize, t.endOfTextID)
}
let e = try SafeTensorsFile(dir + "images/expected.safetensors")
for f in FileSystem.list(dir + "images").filter({ !$0.hasPrefix("expected") }) {
  let img = try ImageDecoder.decode(dir + "images/" + f)
  func cmp(_ what: String, _ g: GrayImage) {
    for key in [f, String(f.split(separator: ".")[0])] where e.entries[key + "." + what] != nil {
      let x = try! e.integers(key + "." + what)
      var m = 0, c = 0
      if x.count != g.pixels.count { print(f, what, "SIZE", e.entries[key+"."+what]!.shape, g.width, g.height); return }
      for (a, b) in zip(x, g.pixels) { let d = abs(a - Int(b)); m = max(m, d); if d > 0 { c += 1 } }
      print(f, what, "max", m, "n", c)
    }
  }
  cmp("decoded8", img)
  let p = SquareFit.apply(img); cmp("padded256", p)
  let cut = OtsuCut.apply(p)
  let b = BilinearResize.apply(cut, width: 256, height: 256)
  cmp("crop224_of_256", b.cropped(rows: 16..<240, columns: 16..<240))
  cmp("crop224_of_224", BilinearResize.apply(cut, width: 224, height: 224))
}

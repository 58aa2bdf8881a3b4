import CleftCommand
import CleftImaging
import CleftFormats
import CleftData
import Foundation
let s = SyntheticDataset(folder: "/tmp/synth", trainPatients: 100, testPerClass: 4, rsnaPerClass: 5, difficulty: 0.2, seed: 1)
let t0 = Date()
let sheet = s.contactSheet(rows: 3)
print("sheet", Date().timeIntervalSince(t0))
try ImageEncoder.png(sheet).write(to: URL(fileURLWithPath: "/tmp/sheet.png"))
let t1 = Date()
let n = try s.write()
print(n, Date().timeIntervalSince(t1))

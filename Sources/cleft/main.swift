import CleftTraining
let r = try ParityRun(folder: CommandLine.arguments[1], tolerance: 1e-4)
for x in r.rows where !x.passes || !x.name.hasPrefix("a") { print(x.passes ? "ok" : "FAIL", x.name, x.relativeError, x.allowed) }
print(r.passes)

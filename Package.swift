// swift-tools-version: 6.0
import Foundation
import PackageDescription

/// Swift 6 language mode everywhere; members are visible only through an explicit import.
let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("MemberImportVisibility")]

/// The loops over numbers and pixels are built for one CPU: this one, or the level named by CLEFT_MARCH
/// (`CLEFT_MARCH=x86-64-v3 swift build …` makes a portable binary).
let march = ProcessInfo.processInfo.environment["CLEFT_MARCH"] ?? "native"
let kernelSettings =
  settings + [
    .unsafeFlags([
      // Square roots in loops are one instruction only where nobody asks for errno.
      "-Xcc", "-march=\(march)", "-Xcc", "-fno-math-errno", "-enforce-exclusivity=unchecked",
    ])
  ]

/// A target of the stack and its product.
///
/// Listed in stack order: a target may name only targets above it.
func library(
  _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [],
  settings: [SwiftSetting] = settings
) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let stack: [Target] = [
  .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
  .systemLibrary(name: "CLAPACKE", pkgConfig: "lapacke", providers: [.apt(["liblapacke-dev"])]),
  .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
  .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
  .target(
    name: "CImageCodecs", linkerSettings: [.linkedLibrary("jpeg"), .linkedLibrary("png")]),
  .target(
    name: "CDicom",
    linkerSettings: ["dcmjpeg", "dcmjpls", "dcmdata", "oflog", "ofstd", "openjp2", "jpeg"].map {
      .linkedLibrary($0)
    }),
  library("CleftTensor", ["COpenBLAS", "CLAPACKE", "COneDNN"], settings: kernelSettings),
  library("CleftFormats", ["CleftTensor"]),
  library("CleftNN", ["CleftTensor", "CleftFormats"]),
  library("CleftText", ["CleftTensor", "CleftFormats"]),
  library(
    "CleftImaging", ["CImageCodecs", "CDicom", "CleftTensor", "CleftFormats"], settings: kernelSettings),
  library("CleftMetrics", ["CleftTensor"]),
  library("CleftModels", ["CleftTensor", "CleftFormats", "CleftNN", "CleftText"]),
  library("CleftAdapters", ["CleftTensor", "CleftFormats", "CleftNN"]),
  library(
    "CleftData", ["CleftTensor", "CleftFormats", "CleftText", "CleftImaging", yams],
    resources: ["chexpert", "rsna", "embed", "manifest"].map { .embedInCode("Captions/\($0).yaml") }),
  library(
    "CleftTraining",
    [
      "CMPI", "CleftTensor", "CleftFormats", "CleftNN", "CleftText", "CleftImaging", "CleftMetrics",
      "CleftModels",
      "CleftAdapters", "CleftData",
    ]),
  library(
    "CleftCommand",
    [
      "CleftTensor", "CleftFormats", "CleftNN", "CleftText", "CleftImaging", "CleftMetrics", "CleftModels",
      "CleftAdapters", "CleftData", "CleftTraining", argumentParser, yams,
    ]),
  .executableTarget(name: "cleft", dependencies: ["CleftCommand"], swiftSettings: settings),
]

/// Tests of one target; the architecture's look at files alone, the end-to-end ones at the built program.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: [], swiftSettings: settings)
}

let testTargets: [Target] = [
  tests("ArchitectureTests", []),
  tests("CleftTensorTests", ["CleftTensor"]),
  tests("CleftFormatsTests", ["CleftTensor", "CleftFormats"]),
  tests("CleftTextTests", ["CleftFormats", "CleftText"]),
  tests("CleftImagingTests", ["CleftTensor", "CleftFormats", "CleftImaging"]),
  tests("CleftMetricsTests", ["CleftTensor", "CleftMetrics"]),
  tests("CleftModelsTests", ["CleftTensor", "CleftFormats", "CleftNN", "CleftModels", "CleftAdapters"]),
  tests("CleftDataTests", ["CleftTensor", "CleftFormats", "CleftImaging", "CleftData"]),
  tests(
    "CleftTrainingTests",
    [
      "CleftTensor", "CleftFormats", "CleftNN", "CleftText", "CleftImaging", "CleftMetrics", "CleftModels",
      "CleftAdapters", "CleftData", "CleftTraining",
    ]),
  tests("EndToEndTests", ["CleftTensor", "CleftFormats", "CleftImaging", "CleftData", "cleft"]),
]

let package = Package(
  name: "cleft",
  products: [.executable(name: "cleft", targets: ["cleft"])]
    + stack.filter { $0.name.hasPrefix("Cleft") }.map { .library(name: $0.name, targets: [$0.name]) },
  dependencies: [
    // Parses the command line, writes the help pages, suggests the near miss.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // Reads and writes YAML: presets, resolved.yaml, caption templates.
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: stack + testTargets,
  cxxLanguageStandard: .cxx17
)

import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Testing

/// Groups of the published sizes; parameters have no values yet, nothing is computed.
@Suite struct ParameterGroupTests {
  private func names(_ groups: [ParameterGroup]) -> [String] { groups.map(\.name) }

  private func published(_ root: any Module, decaysLogitScale: Bool = true) -> [ParameterGroup] {
    ParameterGroups.published(root, weightDecay: 0.05, decaysLogitScale: decaysLogitScale)
  }

  @Test func thePaperHasItsTwentySixGroups() throws {
    let model = DualEncoder(try #require(ModelCatalog.pairs["paper"]))
    model.text.model.setTrainable(false)
    let groups = published(model)
    // Order of first appearance: class token, then norm1.weight before attn.qkv.weight in each block.
    let blocks = (1...11).flatMap { ["layer_\($0)_no_decay", "layer_\($0)_decay"] }
    #expect(
      names(groups) == ["layer_12_decay", "layer_0_decay", "layer_0_no_decay"] + blocks + [
        "layer_12_no_decay"
      ])
    #expect(groups.count == 26)
    let image = "img_encoder_q.model."
    #expect(
      groups[0].parameters.prefix(3).map(\.path) == [
        "logit_scale", image + "register_tokens", image + "mask_token",
      ])
    #expect(
      groups[1].parameters.map(\.path) == [
        image + "cls_token", image + "pos_embed", image + "patch_embed.proj.weight",
      ])
    #expect(groups[2].parameters.map(\.path) == [image + "patch_embed.proj.bias"])
    #expect(groups[4].parameters.allSatisfy { $0.path.hasPrefix(image + "blocks.0.") })
    #expect(groups[25].parameters.map(\.path).contains("text_encoder_q.global_embed.bias"))
    for group in groups {
      let isExempt = group.name.hasSuffix("_no_decay")
      #expect(group.weightDecay == (isExempt ? 0 : 0.05) && group.rateScale == 1)
      #expect(group.parameters.allSatisfy { ($0.cell.shape.rank == 1) == isExempt })
    }
    let trained = model.parameters.filter(\.cell.isTrainable).map(\.path)
    #expect(groups.flatMap(\.parameters).map(\.path).sorted() == trained.sorted())
    #expect(!model.parameters.contains { $0.cell.isMaterialized }, "nothing is allocated for the groups")
  }

  @Test func theTemperatureDecaysOnlyWhereAsked() throws {
    let model = DualEncoder(try #require(ModelCatalog.pairs["tiny"]))
    func group(_ decays: Bool) -> String? {
      published(model, decaysLogitScale: decays).first {
        $0.parameters.contains { $0.path == "logit_scale" }
      }?
      .name
    }
    #expect(group(true) == "layer_4_decay")
    #expect(group(false) == "layer_4_no_decay")
  }

  /// Numbers of blocks that three does not divide, frozen towers, other architectures.
  @Test func everyImageTowerHasGroups() throws {
    for (name, entry) in ModelCatalog.imageTowers {
      let depth = name.contains("vitl") ? 24 : name.contains("vitg") ? 40 : 12
      let found = names(published(entry.config.makeTower()))
      let expected = (0...depth).flatMap { ["layer_\($0)_decay", "layer_\($0)_no_decay"] }
      #expect(found.sorted() == expected.sorted(), "\(name)")
    }
    for (name, count) in [("mrm", 26), ("vit_base", 26), ("gloria", 2), ("medclip", 2)] {
      let entry = try #require(ModelCatalog.baselineTowers[name])
      let groups = published(entry.config.makeTower())
      #expect(groups.count == count, "\(name): \(names(groups))")
      if count == 2 { #expect(Set(names(groups)) == ["layer_0_decay", "layer_0_no_decay"]) }
    }
    let model = DualEncoder(try #require(ModelCatalog.pairs["paper"]))
    model.image.model.setTrainable(false)
    #expect(names(published(model)) == ["layer_12_decay", "layer_12_no_decay"])
    // An image side by itself.
    #expect(published(model.image).count == 2)
    model.image.model.setTrainable(true)
    #expect(published(model.image).count == 26)
  }

  @Test func ratesFallWithTheDepth() throws {
    let model = DualEncoder(try #require(ModelCatalog.pairs["paper"]))
    let groups = try ParameterGroups.layerwise(
      model, weightDecay: 0.05, decaysLogitScale: false, layerDecay: 0.5)
    #expect(groups.count == 26)
    for group in groups {
      let layer = try #require(Int(group.name.split(separator: "_")[1]))
      var expected = 1.0
      for _ in layer..<12 { expected /= 2 }
      #expect(group.rateScale == expected, "\(group.name)")
    }
    let all = groups.flatMap { group in group.parameters.map { ($0.path, group.rateScale) } }
    let scales = Dictionary(uniqueKeysWithValues: all)
    #expect(scales["logit_scale"] == 1)
    #expect(scales["img_encoder_q.model.norm.weight"] == 1)
    #expect(scales["img_encoder_q.model.blocks.11.norm1.weight"] == 1)
    #expect(scales["img_encoder_q.model.blocks.10.norm1.weight"] == 0.5)
    #expect(scales["img_encoder_q.model.cls_token"] == 1.0 / 4096)
    let plain = try ParameterGroups.layerwise(
      model, weightDecay: 0.05, decaysLogitScale: false, layerDecay: 1)
    #expect(plain.allSatisfy { $0.rateScale == 1 })
  }

  @Test(arguments: [0, -1, 1.5, Double.nan])
  func aRateThatGrowsOrVanishesIsRefused(_ value: Double) throws {
    let model = LooseParameters(["blocks.0.weight": Tensor([1])])
    let error = #expect(throws: TrainingError.self) {
      try ParameterGroups.layerwise(model, weightDecay: 0, decaysLogitScale: false, layerDecay: value)
    }
    #expect(error?.description == "--layer_decay: \(value); expected a number above 0 up to 1.")
  }

  @Test func ratesByDepthNeedNumberedBlocks() throws {
    let tower = try #require(ModelCatalog.baselineTowers["gloria"]).config.makeTower()
    let error = #expect(throws: TrainingError.self) {
      try ParameterGroups.layerwise(tower, weightDecay: 0, decaysLogitScale: false, layerDecay: 0.9)
    }
    #expect(
      error?.description
        == "--layer_decay: 0.9 for an image tower without numbered blocks; expected a vision transformer, or 1."
    )
  }

  @Test func oneGroupDecaysEverything() throws {
    let model = DualEncoder(try #require(ModelCatalog.pairs["tiny"]))
    let groups = ParameterGroups.single(model, weightDecay: 0.05)
    #expect(groups.count == 1 && groups[0].weightDecay == 0.05 && groups[0].rateScale == 1)
    #expect(groups[0].parameters.map(\.path) == model.parameters.map(\.path))
  }
}

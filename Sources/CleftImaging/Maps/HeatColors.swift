/// Colors from dark blue over gray to yellow, in equal steps of lightness, told apart by the color-blind too.
///
/// - Source: cividis; Nuñez, Anderton and Renslow 2018, PLOS ONE 13(7), e0199239. Every fifth of its 256 entries; what is
///   between them differs by less than four levels.
public enum HeatColors {
  private static let stops: [(UInt8, UInt8, UInt8)] = [
    (0, 34, 78), (0, 38, 86), (0, 42, 95), (0, 45, 104), (0, 48, 112), (8, 51, 112), (22, 55, 112),
    (32, 58, 111), (39, 62, 110), (46, 65, 109), (52, 69, 108), (58, 72, 108), (63, 76, 108), (68, 79, 108),
    (73, 83, 108), (78, 86, 108), (83, 90, 109), (87, 93, 109), (92, 97, 110), (96, 100, 111),
    (101, 104, 112), (105, 107, 113), (109, 111, 114), (114, 114, 116), (118, 118, 118), (122, 122, 120),
    (126, 125, 120), (131, 129, 121), (136, 133, 120), (141, 136, 120), (146, 140, 120), (150, 144, 119),
    (155, 148, 118), (160, 152, 117), (165, 156, 116), (170, 160, 115), (175, 164, 113), (181, 168, 111),
    (186, 172, 109), (191, 176, 107), (196, 180, 104), (201, 185, 101), (207, 189, 98), (212, 193, 95),
    (218, 198, 91), (223, 202, 87), (229, 207, 82), (234, 211, 76), (240, 216, 70), (246, 221, 63),
    (252, 226, 54), (254, 232, 56),
  ]

  /// The color of a value 0 … 1 (held to these ends), each channel 0 … 255.
  public static func color(_ value: Float) -> SIMD3<Float> {
    let place = max(0, min(1, value.isNaN ? 0 : value)) * Float(stops.count - 1)
    let index = min(Int(place), stops.count - 2)
    let share = place - Float(index)
    return stop(index) * (1 - share) + stop(index + 1) * share
  }

  private static func stop(_ index: Int) -> SIMD3<Float> {
    let stop = stops[index]
    return SIMD3(Float(stop.0), Float(stop.1), Float(stop.2))
  }
}

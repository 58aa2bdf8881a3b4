/// The shipped vocabulary, learned from the captions of a synthetic chest set; fits models with 512 ids.
///
/// Made by `Scripts/make-default-vocabulary`; do not edit by hand.
public enum DefaultVocabulary {
  /// The tokenizer.
  public static let tokenizer: ByteLevelBPE = {
    let pairs = merges.split(separator: "\n").map { line in
      let parts = line.split(separator: " ").map(String.init)
      return (parts[0], parts[1])
    }
    let result = BPETrainer.assembled(pairs)
    do {
      return try ByteLevelBPE(
        vocabulary: result.vocabulary, merges: result.merges, added: [:], source: "shipped vocabulary")
    } catch {
      preconditionFailure("shipped vocabulary: \(error)")
    }
  }()

  static let merges = """
    i s
    Ġ a
    t h
    Ġ p
    Ġ c
    r a
    e s
    t i
    a ti
    Ġ o
    e n
    ati en
    atien t
    es t
    h est
    i th
    ra y
    th is
    w ith
    Ġ is
    Ġ ray
    Ġ with
    Ġ x
    Ġc hest
    Ġo f
    Ġp atient
    o n
    e u
    d i
    Ġ e
    d e
    n g
    a r
    ar di
    ardi o
    ardio m
    ardiom e
    Ġc ardiome
    i on
    eu m
    n eum
    Ġp neum
    eu ra
    eura l
    l eural
    Ġp leural
    a s
    a l
    al y
    g aly
    Ġcardiome galy
    c t
    f f
    ff u
    ffu s
    ffus ion
    Ġe ffusion
    Ġ f
    as is
    ct asis
    e ctasis
    e l
    el ectasis
    t electasis
    Ġa telectasis
    Ġ l
    de m
    dem a
    Ġe dema
    di ng
    i n
    in ding
    n o
    Ġ no
    Ġf inding
    c es
    de v
    dev i
    devi ces
    o r
    or t
    p ort
    p port
    s u
    su pport
    Ġ devices
    Ġ support
    ati on
    d ation
    i dation
    l idation
    o lidation
    on s
    ons olidation
    Ġc onsolidation
    i a
    on ia
    Ġpneum onia
    u ng
    Ġl ung
    a c
    ac i
    aci t
    acit y
    p acity
    Ġo pacity
    o ra
    o th
    ora x
    oth orax
    Ġpneum othorax
    es ion
    Ġl esion
    ar g
    arg e
    arge d
    as ti
    asti n
    astin u
    astinu m
    di astinum
    en l
    enl arged
    Ġ enlarged
    Ġcardiome diastinum
    ct u
    ctu r
    ctur e
    ra cture
    Ġf racture
    e r
    th er
    Ġo ther
    """
}

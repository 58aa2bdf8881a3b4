"""Makes llama/ and bert/ beside this file: tiny vocabularies, and ids that the published libraries give.

Run with tokenizers, transformers and sentencepiece installed: python make.py
"""

import collections
import io
import json
import os
import random

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import BertWordPieceTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
SPACE = "\u2581"


def captions():
    """Made-up sentences of chest reports, the same every time."""
    pick = random.Random(7).choice
    findings = (
        "atelectasis,cardiomegaly,consolidation,edema,pleural effusion,pneumonia,pneumothorax,fracture,"
        "lung opacity,lung lesion,support devices,enlarged cardiomediastinum,nodule,mass,scoliosis,granuloma"
    ).split(",")
    sides, sizes = ["left", "right", "bilateral"], ["mild", "moderate", "small", "large", "severe", "no"]
    lines = []
    for _ in range(1500):
        side, size, finding = pick(sides), pick(sizes), pick(findings)
        number = f"{pick('123456789')}.{pick('0123456789')}"
        lines.append(
            pick(
                [
                    f"this is a chest x ray of a patient with {finding}",
                    f"There is {size} {side} {finding}, unchanged since the prior exam.",
                    f"{side.capitalize()} {finding} measures {number} x {number} cm ({pick('0123456789')}0%).",
                    f"IMPRESSION: {size} {finding}; no {pick(findings)} or {pick(findings)}.",
                    f"Patient's {side} lung: {finding} at {number} mm, SpO2 9{pick('0123456789')}% on 2L/min.",
                    f"Résumé: naïve {side} {finding} ± {number} µm, 37°C",
                    f"ETT tip {number} cm above the carina.  PICC in the SVC - {side} side",
                    f"胸部X線: {finding} 肺 心",
                ]
            )
        )
    return lines


STRINGS = [
    "", " ", "  ", "   ", "\n", "\t", "\n\n", " \n ", "\r\n", "a", " a", "a ", "  a  ", "A", "0", "00", "1234567890",
    "this is a chest x ray of a patient with cardiomegaly", "this is a chest x ray of a patient with ",
    "This Is A CHEST X ray", "THERE IS SEVERE EDEMA", "X pleural effusion pneumothorax", "no finding",
    "IMPRESSION:\n1. Mild pulmonary edema.\n2. Small left pleural effusion.\n\n3. ETT tip 4.5 cm above the carina.",
    "Compared to 2019-03-07 the opacity is now 2.3 x 1.1 cm.", "PA & lateral views; s/p CABG, r/o PNA, h/o COPD.",
    "SpO2 94% on 2L NC, HR 110/min, BP 120/80 mmHg.", "µg/mL, 37.5°C, ±2.5 mm, ≤ 5 cm², α-fetoprotein, β-blocker",
    "Hounsfield units: -1000 HU to +3000 HU", "10mg/5mL q6h prn", "CO₂ H2O2", "½ ² ① Ⅷ ٣ ३ 三", "x²+y²=z²", "∑∫√∞≠",
    "it's", "IT'S", "don't", "we'll we've we're I'm", "patient's patients' 's", "can’t won’t", "''", "'", "\"quoted\"",
    "hello world", "Hello  world", "Hello    world    !", "   leading three", "trailing   ", "a\tb", "a \t b", "a\n\nb",
    "line1\r\nline2\r\n", "a\u00a0b", "a\u2003b", "a\u200bb", "a\u200cb\u200dc", "a\u3000b", "\ufeffbom", "a\u2028b",
    "x\u0000y", "\u0000", "bell\u0007", "\u001b[31mred\u001b[0m", "\u0085next", "\u007fdel", "a\u00adb", "a\ue000b",
    "café", "cafe\u0301", "naïve résumé", "nai\u0308ve re\u0301sume\u0301", "Ångström \u212b A\u030a", "\u1e9b\u0323",
    "e\u0301\u0302\u0303", "e\u0327\u0301 e\u0301\u0327", "Z\u0351\u036b\u0343a\u0363l\u0366g\u030ao", "İstanbul ISTANBUL ı",
    "Straße STRASSE ẞ", "ΣΊΣΥΦΟΣ Σίσυφος", "ǅ ﬁ ﬀ", "\u0301", "a \u0301 b", "Ünïcödé Ñandú ÀÉÎÕÜ",
    "胸部X線", "胸部X线片显示心脏增大", "日本語のテスト", "カタカナ ﾊﾝｶｸ", "한국어 문장", "가각\u1100\u1161", "\U00020000\U0002f800x",
    "Привет, мир", "ЙЁ йё", "مرحبا بالعالم", "שָׁלוֹם", "नमस्ते", "สวัสดีครับ", "Ελληνικά", "გამარჯობა", "Việt Nam tiếng",
    "😀", "😀😃😄", "👨‍👩‍👧‍👦 family", "🇫🇷🇯🇵", "👍🏽", "❤️", "🫁 lungs 🧠 brain", "𝕏𝟘", "\U0010ffff", "\ud7ff\ue000\ufffd",
    "–—…“quoted” ‘single’", "«»¡¿", "。、「」！？", "!!!???...", "...", "--", "----------------", "_____", "#hashtag @mention",
    "a_b_c", "snake_case camelCase", "foo.bar(baz)[0] = {1: 'x'};", "<html>&nbsp;</html>", "user@example.org",
    "C:\\path\\to\\file.dcm", "https://example.org/a?b=c&d=%20#frag", "`back` ^ ~ | $1,000.00 + = < >", "1e-5 50%",
    "supercalifragilisticexpialidocious", "pneumonoultramicroscopicsilicovolcanoconiosis", "a" * 99, "a" * 100, "a" * 101,
    "z" * 300, "aaaa aaa aa a", "ababababab", "é" * 100, "e\u0301" * 100, "肺" * 120, " " * 40 + "end", "\n" * 20 + "end",
    "edema " * 60, "cardiomegaly" * 30, "0123456789" * 20, SPACE, SPACE + "a", "a" + SPACE, SPACE * 3 + "edema", "a" + SPACE + " b",
    "<0x41>", "<0xE2><0x96><0x81>", "##a", "## a", "a##b", "[ UNK ]", "< s>", "unk", "I do not know , yes . no ! why ? it 's",
]

LLAMA_SPECIAL = [
    "<s>", "</s>", "<unk>", "<s>edema", "<s> edema", " <s>edema", "edema</s>", "edema </s>", "edema </s> ", "a<s>b<unk>c",
    "<s><s></s>", "<s></s> <s>", "<s>  two", "</s>\nline", "x<S>y", "< s ><s", "<<s>>", "edema<unk>edema", "é<s>é",
]
EXTENDED = [
    "<CLS>edema<SEP>", "<CLS> edema <SEP> mass", "a<|im_start|>b <|im_end|> c", "<PAD><PAD>", "<CLS", "<|im_start|><|im_end|>",
]
FLAGS = [
    "a <L> b", "a   <L>b", "<L>", " <L>", "a <R>  b", "a<R>\n\t b", "<R>  <L>", "a<W>b", "a <W> b", "é<W>", "_<W>", "-<W>-",
    "<W>", "1<W>", "<W>\u0301", "lobe", "a lobe b", "lobes", "lobe lobe", "a <L><R> b", "<L> <L>",
]
BERT_SPECIAL = [
    "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[CLS] edema [SEP]", "[CLS]edema[SEP]mass", "a[MASK]b", "a [MASK] b", "[mask]",
    "[Mask]", "[ MASK ]", "[[MASK]]", "é[SEP]é", "[PAD][PAD]", "edema[UNK]", "肺[SEP]心",
]


def write(path, text):
    with open(os.path.join(HERE, path), "w", encoding="utf-8") as file:
        file.write(text)


def compact(value):
    return json.dumps(value, separators=(",", ":")) + "\n"


def goldens(encode, decode, strings):
    """Ids of the strings, and what they decode to where that is another text."""
    whole = strings[: len(STRINGS)] == STRINGS
    ids = [encode(text) for text in strings]
    decoded = [decode(row) if decode else text for text, row in zip(strings, ids)]
    return {
        "more": strings[len(STRINGS):] if whole else strings, "isShared": whole,
        "ids": ids, "decoded": {i: d for i, (t, d) in enumerate(zip(strings, decoded)) if t != d} if decode else None,
    }


def of_tokenizer(tokenizer, strings):
    return goldens(
        lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        lambda ids: tokenizer.decode(ids, skip_special_tokens=False),
        strings,
    )


def sentencepiece_model(lines, name, **options):
    model = io.BytesIO()
    settings = dict(
        model_type="bpe", vocab_size=600, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        num_threads=1, minloglevel=2, split_digits=True, allow_whitespace_only_pieces=True,
    )
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, **{**settings, **options}
    )
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def llama_json(processor, scheme):
    """The model as a tokenizer.json: `scheme` is 'legacy' or a prepend_scheme, '+split' divides at spaces."""
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    ids = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for piece in pieces:
        i = ids[piece]
        if processor.is_control(i) or processor.is_unknown(i) or processor.is_byte(i):
            continue
        cuts = [(piece[:k], piece[k:]) for k in range(1, len(piece))]
        cuts = [cut for cut in cuts if cut[0] in ids and cut[1] in ids]
        merges += [(processor.get_score(i), ids[a], ids[b], (a, b)) for a, b in cuts]
    merges.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    tokenizer = Tokenizer(
        models.BPE(ids, [m[3] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    if scheme == "legacy":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    else:
        name, _, split = scheme.partition("+")
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=name, split=bool(split))
    parts = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if not scheme.startswith("never"):
        parts.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(parts)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    return tokenizer


def make_llama(lines):
    files = {}
    processor = sentencepiece_model(lines, "llama/tokenizer.model")
    plain = list(STRINGS)
    files["tokenizer.model"] = goldens(processor.encode_as_ids, processor.decode_ids, plain)
    loose = sentencepiece_model(
        lines, "llama/plain.model", byte_fallback=False, vocab_size=300, remove_extra_whitespaces=True,
        character_coverage=0.98,
    )
    files["plain.model"] = goldens(loose.encode_as_ids, None, plain)
    whole = sentencepiece_model(
        lines, "llama/whole.model", vocab_size=450, user_defined_symbols=["pleural", "lung" + SPACE + "op", "0%"],
        add_dummy_prefix=True,
    )
    files["whole.model"] = goldens(
        whole.encode_as_ids, None, plain + ["pleural", "a pleural b", "pleurale", "lung opacity 50%", "00%%"]
    )
    for name, scheme in [
        ("tokenizer.json", "legacy"), ("metaspace_first.json", "first"), ("metaspace_always.json", "always"),
        ("metaspace_never_split.json", "never+split"), ("metaspace_always_split.json", "always+split"),
    ]:
        tokenizer = llama_json(processor, scheme)
        write("llama/" + name, tokenizer.to_str())
        files[name] = of_tokenizer(tokenizer, STRINGS + LLAMA_SPECIAL)
    # Tokens behind the vocabulary, as meditron has, and tokens with every flag.
    size = processor.get_piece_size()
    extra = ["<CLS>", "<SEP>", "<PAD>", "<|im_start|>", "<|im_end|>"]
    extended = llama_json(processor, "legacy")
    extended.add_special_tokens([AddedToken(t, normalized=False) for t in extra])
    os.makedirs(os.path.join(HERE, "llama/extended"), exist_ok=True)
    write("llama/extended/added_tokens.json", json.dumps({t: size + i for i, t in enumerate(extra)}, indent=1))
    with open(os.path.join(HERE, "llama/tokenizer.model"), "rb") as model:
        with open(os.path.join(HERE, "llama/extended/tokenizer.model"), "wb") as copy:
            copy.write(model.read())
    files["extended"] = of_tokenizer(extended, EXTENDED + LLAMA_SPECIAL)
    for name, scheme in [("flags_legacy.json", "legacy"), ("flags_first.json", "first")]:
        flags = llama_json(processor, scheme)
        flags.add_tokens([
            AddedToken("<L>", lstrip=True, normalized=False), AddedToken("<R>", rstrip=True, normalized=False),
            AddedToken("<W>", single_word=True, normalized=False), AddedToken("lobe", normalized=True),
        ])
        write("llama/" + name, flags.to_str())
        files[name] = of_tokenizer(flags, FLAGS + LLAMA_SPECIAL)
    unknown = llama_json(processor, "legacy").to_str()
    unknown = json.loads(unknown)
    unknown["model"].update(byte_fallback=False, fuse_unk=False, ignore_merges=True)
    write("llama/unknown.json", json.dumps(unknown, ensure_ascii=False))
    files["unknown.json"] = of_tokenizer(Tokenizer.from_str(json.dumps(unknown)), STRINGS)
    write("llama/goldens.json", compact({"size": size, "shared": STRINGS, "files": files}))


def pieces(lines):
    """A WordPiece vocabulary; the library's trainer gives another one each time."""
    text = " ".join(lines + [line.lower() for line in lines]) + " 肺 心 部 線 – µ ° ± 😀 Привет ά é"
    cut = pre_tokenizers.BertPreTokenizer()
    counts = collections.Counter(word for word, _ in cut.pre_tokenize_str(text))
    parts = collections.Counter()
    for word, count in counts.items():
        for size in (2, 3, 4):
            if len(word) > size:
                parts[word[:size]] += count
                parts["##" + word[-size:]] += count
                parts["##" + word[1 : 1 + size]] += count
    characters = sorted(set(text) - {" "} | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    ranked = [sorted(c, key=lambda t: (-c[t], t)) for c in (counts, parts)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + characters + ["##" + c for c in characters]
    return list(dict.fromkeys(tokens + ranked[0][:150] + ranked[1][:150]))


def make_bert(lines):
    files = {}
    vocabulary = pieces(lines)
    write("bert/vocab.txt", "".join(t + "\n" for t in vocabulary))
    variants = [
        ("tokenizer.json", {}), ("cased.json", {"lowercase": False}),
        ("accents.json", {"lowercase": False, "strip_accents": True}), ("kept.json", {"strip_accents": False}),
        ("raw.json", {"clean_text": False, "handle_chinese_chars": False}),
    ]
    for name, options in variants:
        wordpiece = BertWordPieceTokenizer(os.path.join(HERE, "bert/vocab.txt"), **options)
        tokenizer = Tokenizer.from_str(wordpiece.to_str())
        tokenizer.add_special_tokens([AddedToken("[MASK]", normalized=False)])
        write("bert/" + name, tokenizer.to_str())
        files[name] = of_tokenizer(tokenizer, STRINGS + BERT_SPECIAL)
    os.makedirs(os.path.join(HERE, "bert/cased"), exist_ok=True)
    with open(os.path.join(HERE, "bert/vocab.txt"), encoding="utf-8") as source:
        write("bert/cased/vocab.txt", source.read())
    write("bert/cased/tokenizer_config.json", json.dumps({"do_lower_case": False, "model_max_length": 512}))
    write("bert/goldens.json", compact({"size": len(vocabulary), "shared": STRINGS, "files": files}))


if __name__ == "__main__":
    for folder in ("llama", "bert"):
        os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    make_llama(captions())
    make_bert(captions())
    print("tokenizers", tokenizers.__version__, "sentencepiece", sentencepiece.__version__, "strings", len(STRINGS))

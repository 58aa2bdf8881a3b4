"""The published program's zero-shot evaluation, from files and weights to scores.

Written from the behavioral specification (datasets §2, pictures §3, models §4, scores §6) with pandas, pydicom, OpenCV,
Pillow, torchvision, tokenizers, timm, transformers and peft. Nothing here asks cleft for a number: tables and pictures are
read from the data folder, weights from a Lightning checkpoint, texts are tokenized with its tokenizer.

What cleft does otherwise by default is said by a `Behavior`: `PUBLISHED` is the published program, `OURS` cleft's defaults.
"""
import dataclasses
import json
import pickle
import re

import cv2
import numpy as np
import pandas
import peft
import pydicom
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer
from torch import nn

import cleft_torch
import data as pictures  # Scripts/bench/data.py, which has the picture steps of the published program.
import replay
from torchvision import transforms

# --------------------------------------------------------------------------- behavior


@dataclasses.dataclass(frozen=True)
class Behavior:
    """What an evaluation does where the published program and cleft's defaults part."""

    name: str
    # RSNA: the words of the positive prompt, and whether prompts behind trained vectors keep their leading space.
    positive: str
    keeps_rsna_space: bool
    # Where a caption without a free column is read: at position 0, or at its last word.
    full_caption: str
    # DICOM values: times 255 / maximum, or as a viewer shows them.
    dicom: str
    # EMBED: whether columns of whole numbers are read, and where the BI-RADS number of a default caption is looked for.
    reads_integers: bool
    searches_all_sentences: bool


PUBLISHED = Behavior("reference", "pneumothorax", False, "first", "maximum", False, False)
OURS = Behavior("fixed", "pneumonia", True, "last", "display", True, True)


# --------------------------------------------------------------------------- datasets


@dataclasses.dataclass
class Item:
    path: str
    label: int
    prefix: str = ""  # What stands in front of every class prompt for this picture alone.


@dataclasses.dataclass
class TestSet:
    items: list
    prompts: list
    columns: int  # Tokens of a prompt.
    # Whether trained vectors in front of a prompt leave the words their leading space.
    keeps_space: bool = True


CHEST_PREFIX = "This is a chest X ray of a patient with "
FINDINGS = ["Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation", "Pneumonia",
            "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices", "No Finding"]
FIVE = ["Atelectasis", "Edema", "Cardiomegaly", "Pleural Effusion", "Consolidation"]


def chexpert(root, behavior, is_prompt_tuned, five=True):
    """CheXpert-5x200 (§2.2): frontal rows; the class is the first finding whose cell is 1."""
    table = pandas.read_csv(f"{root}/CheXpert/chexpert_5x200.csv")
    table = table[table["AP/PA"].isin(["PA", "AP"])]
    names = FIVE if five else FINDINGS
    if is_prompt_tuned and not (table[FINDINGS].to_numpy() == 1).any(1).all():
        raise NotImplementedError("rows without a finding, which prompt tuning drops from the test set too")
    labels = (table[names].to_numpy() == 1).argmax(1)
    folder = f"{root}/CheXpert/CheXpert-v1.0"
    places = [f"{folder}/{path.split('/', 1)[1]}" for path in table["Path"]]
    items = [Item(path, int(label)) for path, label in zip(places, labels)]
    prefix = "" if is_prompt_tuned else CHEST_PREFIX
    return TestSet(items, [(prefix + name).lower() for name in names], 64)


def rsna(root, behavior, is_prompt_tuned):
    """RSNA (§2.3): two prompts, of which the published positive one says pneumothorax."""
    table = pandas.read_csv(f"{root}/RSNA Pneumonia/stage_2_test_balance.csv")
    folder = f"{root}/RSNA Pneumonia/stage_2_train_images"
    items = [Item(f"{folder}/{name}.dcm", int(target)) for name, target in zip(table["patientId"], table["Target"])]
    prefix = "" if is_prompt_tuned else CHEST_PREFIX
    return TestSet(items, [(prefix + words).lower() for words in ("no findings", behavior.positive)], 64,
                   behavior.keeps_rsna_space)


def sentences(text):
    """A caption's sentences as lowercase words (§2.2.3, steps 4 to 8)."""
    found = []
    for piece in re.split(r"[0-9]+\.", text.replace("\n", " ")):
        for fragment in piece.split("."):
            words = re.findall(r"\w+", fragment.replace("\ufffd\ufffd", " ").lower())
            words = [word.encode("ascii", "ignore").decode() for word in words]
            if any(words):
                found.append(" ".join(word for word in words if word))
    return found


# --------------------------------------------------------------------------- EMBED

DENSITIES = {1: "almost entirely fat", 2: "scattered fibroglandular densities", 3: "heterogeneously dense", 4: "extremely dense",
             5: "normal male dense"}
SIDES = dict(L="left", R="right", B="bilateral")
ASSESSMENTS = {  # letter: number, description, what the mammogram shows, overall assessment
    "A": (0, "additional imaging required", "an additional imaging is recommended. ", "Additional imaging is recommended. "),
    "N": (1, "negative", "no significant masses, calcification, or other abnormalities are present. ", "Negative. "),
    "B": (2, "benign finding", "a benign finding is present. ", "Benign. "),
    "P": (3, "probably benign finding", "a probably benign finding is present. ", "Probably benign. "),
    "S": (4, "suspicious abnormality", "a suspicious abnormality is present. ", "Suspicious abnormality. "),
    "M": (5, "highly suggestive of malignancy",
          "a highly suggestive of malignancy is present, a biopsy is recommended. ", "Highly suggestive of malignancy. "),
    "K": (6, "known biopsy-proven malignancy", "a known biopsy-proven malignant mass is present. ",
          "Known biopsy-proven malignancy. "),
}
EMBED_BASE = "This is a breast 2D full-field digital mammogram of a patient "
EMBED_PREFIX = "/mnt/NAS2/mammo/anon_dicom"


class EmbedCaption:
    """The texts of one picture (§2.4.3 to §2.4.5)."""

    def __init__(self, row, reduced, full, legend, behavior):
        self.row, self.reduced, self.full, self.legend = row, reduced, full, legend
        self.reads_integers = behavior.reads_integers

    def value(self, row, name, pool=None):
        """A cell that is there: words, of the pool if there is one, or a number with a fraction; else None."""
        cell = row[name]
        if isinstance(cell, str):
            return cell if cell and (pool is None or cell in pool) else None
        if self.reads_integers and isinstance(cell, (int, np.integer)):
            return float(cell)
        return cell if isinstance(cell, float) and cell == cell else None

    def text(self, name):
        return self.value(self.row, name)

    @property
    def side(self):
        return SIDES.get(self.value(self.row, "ImageLateralityFinal", SIDES))

    @property
    def density(self):
        found = self.value(self.reduced, "tissueden")
        return None if found is None else int(found)

    @property
    def assessment(self):
        found = self.value(self.reduced, "asses", ASSESSMENTS)
        return None if found is None else ASSESSMENTS[found]

    @property
    def procedure(self):
        return self.text("StudyDescription")

    @property
    def reason(self):
        words = (self.procedure or "").lower()
        return "screening" if "screen" in words else "diagnostic" if "diag" in words else ""

    def patient(self):
        age = self.value(self.reduced, "age_at_study")
        race = self.value(self.reduced, "RACE_DESC") or "unknown"
        hispanic = "Hispanic or Latino"
        ethnic = hispanic if self.reduced["ETHNIC_GROUP_DESC"] == hispanic else "Non-" + hispanic
        return f"This patient is {race}, {ethnic}, and {'unknown' if age is None else int(age)} years old.  "

    def findings(self):
        text = "The mammogram shows that " + self.assessment[2]
        shape, density = self.code("massshape"), self.code("massdens")
        return text + (f"The mass is {shape} and {density}. " if shape and density else "") + " "

    def calcification(self):
        shape, spread = self.code("calcfind"), self.code("calcdistri")
        return f"A {spread} {shape} calcification is present.  " if shape and spread else ""

    def code(self, name):
        return self.legend[name].get(self.value(self.full, name))

    def composition(self):
        remark = "This may lower the sensitivity of mammography. " if self.density in (3, 4) else ""
        return f"The breast is {DENSITIES[self.density]}. {remark} "

    def report_head(self):
        kind, side, view = self.text("FinalImageType"), self.side, self.text("ViewPosition")
        return (f"Procedure reported: {self.procedure}; Reason for procedure: {self.reason}; Patient info: "
                f"{self.patient()}Image info: This is a {kind or 'unknown'} full-field digital mammogram of the "
                f"{side or 'unknown'} breast with {view or 'unknown'} view.  ")

    def sentence_head(self):
        return (f"This is a breast 2D full-field digital {self.reason} mammogram of a patient. {self.patient()}"
                f"This mammogram is for {self.side or 'unknown'} breast with {self.text('ViewPosition') or 'unknown'} view.  ")

    def plain_head(self, family):
        if family == "simple":
            return EMBED_BASE
        side = f"on side {self.side} " if self.side else ""
        view = f"with view {self.text('ViewPosition')} " if self.text("ViewPosition") else ""
        return EMBED_BASE + side + view

    def head(self, family):
        """What an instance prompt starts with."""
        heads = {"structural": self.report_head, "natural": self.sentence_head}
        return heads[family]() if family in heads else self.plain_head(family)

    def whole(self, family):
        """The training caption; None where something it needs is missing."""
        if self.density is None or self.assessment is None:
            return None
        if family == "structural" and not (self.procedure and self.reason):
            return None
        number, description, _, overall = self.assessment
        impression = f"Impressions: BI-RADS Category {number}: {description}. "
        if family == "structural":
            return (self.report_head() + "Breast composition: " + self.composition() + "Findings: " + self.findings()
                    + self.calcification() + impression + "Overall Assessment: " + overall)
        if family == "natural":
            return self.sentence_head() + self.composition() + self.findings() + self.calcification() + impression
        return (self.plain_head(family) + f"with breast tissue density {self.density}:{DENSITIES[self.density]}. "
                + f"with BIRADS score {number}:{description}. ")


def birads_of(caption, family, behavior):
    """The BI-RADS number read back from a caption (§2.4.6); None where it is not in the sentence that is searched."""
    mark = "birads" if family in ("simple", "default") else "bi rads"
    place = {"structural": -2, "natural": -1, "simple": -1, "default": 0}[family]
    for text in (caption if behavior.searches_all_sentences else caption[place:][:1]):
        if mark in text:
            for word in text.split(mark, 1)[1].split():
                if word.isdigit():
                    return int(word)
    return None


def embed(root, behavior, is_prompt_tuned, family="default", density=False, instance=False):
    """EMBED (§2.4): BI-RADS read back from captions, or densities from a pickle."""
    if is_prompt_tuned:
        raise NotImplementedError("EMBED behind prompt vectors")
    folder, tables = f"{root}/Embed", f"{root}/Embed/tables/EMBED_OpenData"
    pictures_table = pandas.read_csv(f"{tables}_metadata_reduced_test.csv")
    pictures_table = pictures_table[pictures_table["FinalImageType"] == "2D"]
    reduced, full = (pandas.read_csv(f"{tables}_{name}.csv") for name in ("clinical_reduced", "clinical"))
    codes = pandas.read_csv(f"{folder}/tables/AWS_Open_Data_Clinical_Legend.csv")
    legend = {name: dict(zip(part["Code"], part["Meaning"])) for name, part in codes.groupby("Header in export")}
    captions = {}
    for _, row in pictures_table.iterrows():
        own, other = (table[table["acc_anon"] == row["acc_anon"]] for table in (reduced, full))
        side = row["ImageLateralityFinal"]
        if (own["side"] == side).any():  # Annotated by itself: in both tables the rows of this side alone.
            own, other = (table[table["side"] == side] for table in (own, other))
        texts = EmbedCaption(row, own.iloc[0], other.iloc[0], legend, behavior)
        whole = texts.whole(family)
        if whole and sentences(whole):
            path = row["anon_dicom_path"].replace(EMBED_PREFIX, f"{folder}/images")
            captions[path] = sentences(whole), texts.head(family).lower() if instance else ""
    densities = pickle.load(open(f"{folder}/test_path2density.pickle", "rb")) if density else {}
    items = []
    for path, (caption, prefix) in captions.items():
        label = densities.get(path, 5) - 1 if density else birads_of(caption, family, behavior)
        if label is not None and (not density or label < 4):
            items.append(Item(path, label, prefix))
    if density:
        prompts = [f"{EMBED_BASE}with breast tissue density {n}: {DENSITIES[n]}." for n in range(1, 5)]
    else:
        prompts = [f"{EMBED_BASE}with BIRADS score {n}: {words}." for n, words, _, _ in ASSESSMENTS.values()]
    return TestSet(items, [p.lower() for p in prompts], 144 if family in ("structural", "natural") else 72)


# --------------------------------------------------------------------------- pictures


def display_dicom(path):
    """Gray levels as a viewer shows them: modality LUT, VOI LUT or window, else from 0 or less to the largest value."""
    dataset = pydicom.dcmread(path)
    values = pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)
    if "WindowCenter" in dataset or "VOILUTSequence" in dataset:
        low, high = shown_range(dataset)
        shown = pydicom.pixels.apply_voi_lut(values, dataset).astype(np.float64)
        gray = np.rint((shown - low) / (high - low) * 255)
    else:
        low = min(0, values.min())
        span = values.max() - low
        gray = np.rint((values - low).astype(np.float32) * np.float32(255 / span if span else 0))
    gray = np.clip(gray, 0, 255).astype(np.uint8)
    return 255 - gray if dataset.PhotometricInterpretation == "MONOCHROME1" else gray


def shown_range(dataset):
    """Smallest and largest result of pydicom's `apply_voi_lut`: of a LUT its bits', of a window the rescaled stored bits'."""
    if "VOILUTSequence" in dataset:
        return 0, 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    if dataset.PixelRepresentation:
        low, high = -(2 ** (dataset.BitsStored - 1)), 2 ** (dataset.BitsStored - 1) - 1
    else:
        low, high = 0, 2**dataset.BitsStored - 1
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


class Resize:
    """Pillow's bilinear resize, first along the rows, as every Pillow did that the published program could have.

    From 13 on Pillow begins with the columns where a picture's height shrinks much more than its width. Levels are rounded
    between the two, so those pictures come out a level apart here and there; `last_apart` says how far the last one did.
    """

    def __init__(self, side):
        self.side, self.at_once, self.last_apart = side, transforms.Resize((side, side)), 0

    def __call__(self, image):
        rows_first = image.resize((self.side, image.height), Image.BILINEAR).resize((self.side, self.side), Image.BILINEAR)
        levels = [np.asarray(picture).astype(int) for picture in (rows_first, self.at_once(image))]
        self.last_apart = int(np.abs(levels[0] - levels[1]).max())
        return rows_first


class Pictures:
    """Pictures as the model sees them (§3), and what became of them on the way."""

    def __init__(self, side, dicom, spoil=None):
        self.side, self.dicom, self.resize, self.cached = side, dicom, Resize(side), {}
        self.apart_now = {}  # How far today's Pillow is off, by path, where it is.
        otsu = pictures.OtsuCut(with_median=True)
        if spoil == "no Otsu cut":
            otsu = lambda image: image  # noqa: E731
        if spoil == "nearest pixels":
            self.resize = lambda image: image.resize((side, side), Image.NEAREST)  # noqa: E731
        self.steps = [pictures.fit, pictures.to_rgb, otsu, self.resize, transforms.ToTensor(),
                      transforms.Normalize((0.5,) * 3, (0.5,) * 3)]

    def gray(self, path):
        if not path.endswith(".dcm"):
            return pictures.read_jpeg(path)
        if self.dicom == "display":
            return display_dicom(path)
        return pictures.scale_dicom(pictures.ReadDicom("pillow")(path))

    def __call__(self, path):
        """`[3, side, side]`, -1 ... 1."""
        if path not in self.cached:
            image = self.gray(path)
            for step in self.steps:
                image = step(image)
            self.cached[path] = image
            if isinstance(self.resize, Resize) and self.resize.last_apart:
                self.apart_now[path] = self.resize.last_apart
        return self.cached[path]


# --------------------------------------------------------------------------- models


class TextEncoder(replay.TextEncoder):
    """Reads a caption where the published program does (§4.4.1): by the ids, not by the mask."""

    end, full_caption = None, "first"

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).logits
        place = cleft_torch.feature_position(ids, self.end, self.prompt_count)
        if self.full_caption == "last":
            place = torch.where(ids[:, -1] == self.end, place, hidden.shape[1] - 1)
        if self.full_caption == "always last":
            place = self.prompt_count + mask.sum(1) - 1
        return self.global_embed(hidden[torch.arange(len(ids)), place])


class Towers(nn.Module):
    """timm's vision transformer, transformers' GPT-2, peft's adapters and prompt vectors, and two heads."""

    def __init__(self, description):
        super().__init__()
        encoder = description["encoder"]
        vision, width = encoder["vision"], encoder["embeddingSize"]
        require(vision, dict(kind="vit", tokenNames="hub", output="tokens", feedForward="mlp", usesLayerScale=True,
                             registerCount=cleft_torch.N_REG, patchSize=cleft_torch.PATCH, mlpRatio=4, maskedFraction=0))
        side = vision["imageSizePixels"]
        vit = cleft_torch.build_vit(vision["hiddenSize"], vision["depth"], vision["headCount"], (side, side),
                                    vision["positionGrid"], names="hub", fused=False)
        self.img_encoder_q = cleft_torch.ImageTower(vit, width, encoder["pooling"])
        self.img_encoder_q.global_embed = replay.make_head(encoder["head"], vision["hiddenSize"], width)
        head = replay.make_head(encoder["head"], encoder["text"]["n_embd"], width)
        self.text_encoder_q = TextEncoder(description, head, is_frozen=False)
        self.logit_scale = nn.Parameter(torch.zeros(()))


def require(config, fixed):
    for name, value in fixed.items():
        if config[name] != value:
            raise NotImplementedError(f"image tower with {name} {config[name]}; expected {value}")


def installed_names(weights, method):
    """The file's tensors under the names that `replay.named_tensors` gives those of today's peft.

    The published program's peft, 0.6, kept an adapted layer's weights beside its adapter; now they are in `base_layer`.
    """
    own = {replay.own_key(name, method == "prefix"): value for name, value in weights.items() if ".local_embed." not in name}
    own.pop(None, None)
    adapted = {re.split(r"\.(?:lora_A|ia3_l)\.", name)[0] for name in own if re.search(r"\.(?:lora_A|ia3_l)\.", name)}
    renamed = {}
    for name, value in own.items():
        layer, _, leaf = name.rpartition(".")
        renamed[f"{layer}.base_layer.{leaf}" if layer in adapted else name] = value
    return renamed


class Model:
    """Weights of a Lightning checkpoint, its tokenizer, and how they are used."""

    def __init__(self, path):
        stored = torch.load(path, map_location="cpu", weights_only=True)
        self.flags = stored["hyper_parameters"]
        # Sizes that the published program takes from the names of its towers.
        self.description = json.loads(self.flags["cleft_model"])
        self.check_flags()
        adapter = self.description.get("adapter") or {}
        self.weights = installed_names(stored["state_dict"], adapter.get("method"))
        self.towers = Towers(self.description)
        replay.load(self.towers, self.weights)
        self.towers.eval()
        self.is_prompt_tuned = bool(self.description.get("prompt"))
        self.side = self.description["encoder"]["vision"]["imageSizePixels"]
        self.tokenizer = Tokenizer.from_str(self.flags["cleft_tokenizer"])
        self.end = self.tokenizer.token_to_id("<|endoftext|>")
        self.towers.text_encoder_q.end = self.end
        if self.end != self.description["encoder"]["text"]["eos_token_id"]:
            raise ValueError(f"{path}: the tokenizer ends a text with {self.end}, the model with another id")

    def check_flags(self):
        """The published flags must say the same as the description."""
        encoder, flags = self.description["encoder"], self.flags
        told = dict(linear_proj=encoder["head"] == "linear", pool_feat=encoder["pooling"] == "mean",
                    emb_dim=encoder["embeddingSize"], prompt_ft=bool(self.description.get("prompt")),
                    peft=(self.description.get("adapter") or {}).get("method"), llm_type="gpt")
        wrong = {name: flags.get(name) for name, value in told.items() if flags.get(name) != value}
        if wrong:
            raise ValueError(f"flags {wrong} beside a model of {told}")

    def tokens(self, text, columns, keeps_space):
        """Ids and mask (§2.2.6): cut and filled up to the columns; behind trained vectors `X ` is put before and dropped."""
        drops_first = self.is_prompt_tuned and keeps_space
        ids = self.tokenizer.encode(("X " if drops_first else "") + text, add_special_tokens=False).ids[:columns]
        count = len(ids)
        ids, mask = ids + [self.end] * (columns - count), [1] * count + [0] * (columns - count)
        return (ids[1:], mask[1:]) if drops_first else (ids, mask)

    @torch.inference_mode()
    def images(self, tensors):
        """Unit vectors `[n, E]` of a list of pictures, 32 at a time as published."""
        parts = [torch.stack(tensors[start:start + 32]) for start in range(0, len(tensors), 32)]
        return torch.cat([self.towers.img_encoder_q(part) for part in parts])

    @torch.inference_mode()
    def texts(self, prompts, columns, keeps_space, full_caption):
        """Unit vectors `[n, E]` of prompts."""
        self.towers.text_encoder_q.full_caption = full_caption
        ids, mask = (torch.tensor(rows) for rows in zip(*(self.tokens(p, columns, keeps_space) for p in prompts)))
        return F.normalize(self.towers.text_encoder_q(ids, mask), dim=-1)


@torch.inference_mode()
def scores(model, test, behavior, read, columns=None):
    """Scaled scores `[n, C]` of a test set (§6.5); prompts are encoded once, or once for each text in front of them."""
    columns = columns or test.columns
    images = model.images([read(item.path) for item in test.items])
    known = {}
    for item in test.items:
        if item.prefix not in known:
            known[item.prefix] = model.texts([item.prefix + p for p in test.prompts], columns, test.keeps_space,
                                             behavior.full_caption)
    texts = torch.stack([known[item.prefix] for item in test.items])
    return torch.einsum("ne,nce->nc", images, texts) * model.towers.logit_scale.exp()


# --------------------------------------------------------------------------- numbers


def published_auc(labels, probabilities, class_count):
    """The AUC that the published program prints, in percent, and why it is 0 where it could not be computed (§6.7)."""
    from sklearn.metrics import roc_auc_score
    try:
        if class_count == 2:
            return 100 * roc_auc_score(np.eye(2)[labels], probabilities, average="macro"), None
        return 100 * roc_auc_score(labels, probabilities, multi_class="ovr"), None
    except ValueError as error:
        return 0.0, str(error)


def auc(labels, probabilities):
    """Mean over the classes that have pictures and rivals of one against the rest; of two classes the second one's."""
    from sklearn.metrics import roc_auc_score
    columns = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [roc_auc_score(labels == c, probabilities[:, c]) for c in columns if 0 < (labels == c).sum() < len(labels)]
    return float(np.mean(areas)) if areas else None


def versions():
    import sklearn
    import timm
    import tokenizers
    import torchvision
    import transformers
    import PIL
    found = dict(torch=torch, torchvision=torchvision, timm=timm, transformers=transformers, peft=peft, tokenizers=tokenizers,
                 opencv=cv2, pillow=PIL, pydicom=pydicom, pandas=pandas, numpy=np)
    found["scikit-learn"] = sklearn
    return ", ".join(f"{name} {module.__version__}" for name, module in found.items())

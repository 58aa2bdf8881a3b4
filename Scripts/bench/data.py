#!/usr/bin/env python3
"""Compares cleft's picture pipeline with the published Python one on the same made files.

The files are drawn with a seed: smooth chest-like shapes, fine structure and grain, so that JPEG sizes are those of real
films. Each side runs on one core, with one thread, on the same core; rounds alternate (cleft, Python, cleft, ...), and a
ratio is the median over the rounds of cleft's images a second over Python's in the same round. What is timed is file ->
tensor; starting the programs and importing libraries is not. Files come from the page cache on both sides. A measurement
during which something else took the core is repeated, and the report says how many stayed disturbed.

Before the timing, cleft's evaluation tensors of the first files are compared with Python's, in gray levels.

`prepared` rows read what `cleft prepare` wrote: once against Python from the files, which is what the published program
does each epoch, and once against Python from the same fitted pictures in a memory-mapped array.

Exit status 1 where the pictures differ. Run it through `Scripts/bench/data`, which finds the libraries and the program.
"""
import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import re
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import time
import types
import warnings

import cv2
import numpy as np
import PIL
import pydicom
import torch
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless, SecondaryCaptureImageStorage

# A torchvision built for GPUs beside a torch for CPUs fails over its detection operators; only transforms are used here.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
import torchvision  # noqa: E402
from torchvision import transforms as T  # noqa: E402

WARM_UP = 20
FRAME = 8  # Pixels at the rim that do not count as interior: a box that is off by one shows there first.
LARGEST_DIFFERENCE = 2
MAKER = 1  # Counts up when the files would come out otherwise, so that old ones are not taken for new.


# --------------------------------------------------------------------------- the files


def film(rng, height, width, grain):
    """A radiograph-like picture, float32 in 0...1: body, lungs, ribs, fine structure, grain, a marker, a dark border."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] + np.float32(rng.uniform(-0.06, 0.06))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] + np.float32(rng.uniform(-0.06, 0.06))

    def blob(cx, cy, rx, ry, softness):
        distance = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
        return 1 / (1 + np.exp(np.clip((distance - 1) / softness, -30, 30)))

    body = blob(0, 0.25, rng.uniform(0.95, 1.25), rng.uniform(1.2, 1.5), 0.12)
    lungs = sum(blob(side * rng.uniform(0.42, 0.5), rng.uniform(-0.15, 0.05), rng.uniform(0.28, 0.36),
                     rng.uniform(0.55, 0.7), 0.15) for side in (-1, 1))
    heart = blob(rng.uniform(0.05, 0.2), 0.35, rng.uniform(0.28, 0.4), rng.uniform(0.25, 0.4), 0.2)
    ribs = np.sin((y * rng.uniform(9, 12) + 1.5 * x * x + rng.uniform(0, 6)) * np.pi / 2) ** 8
    # Structure of every size, larger where coarser, as a film's spectrum falls.
    structure = np.zeros((height, width), np.float32)
    for octave, cells in enumerate((6, 12, 24, 48, 96, 192)):
        coarse = rng.standard_normal((cells, cells), dtype=np.float32)
        structure += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5 ** octave
    picture = body * (0.72 - 0.45 * lungs + 0.17 * heart * (1 - 0.5 * lungs) + 0.09 * ribs) + 0.03 * structure * body + 0.03
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), 0.7)
    picture += grain * noise * (0.3 + body)
    top, left = int(height * rng.uniform(0.03, 0.1)), int(width * rng.uniform(0.03, 0.1))
    picture[top:top + height // 24, left:left + width // 40] = 0.97
    if rng.random() < 0.4:
        rows, columns = int(height * rng.uniform(0, 0.06)), int(width * rng.uniform(0, 0.06))
        picture[:rows], picture[height - rows:] = 0.01, 0.01
        picture[:, :columns], picture[:, width - columns:] = 0.01, 0.01
    return np.clip(picture, 0, 1)


def jpeg_bytes(rng, height, width, grain, quality):
    levels = np.rint(film(rng, height, width, grain) * 255).astype(np.uint8)
    return cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def make_jpeg(short, long, grain, quality):
    def make(rng, path, index):
        size = (short, long) if index % 2 else (long, short)
        with open(path, "wb") as file:
            file.write(jpeg_bytes(rng, *size, grain, quality))
    return make, ".jpg"


def dicom_dataset(index, syntax, rows, columns, allocated, stored, photometric):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{index + 1}"
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyDate, dataset.Modality, dataset.ConversionType = "19010101", "CR", "WSD"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = f"made-{index}", f"made-{index}", "F"
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", "PA"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    dataset.Rows, dataset.Columns, dataset.PixelSpacing = rows, columns, ["0.143", "0.143"]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, stored - 1
    dataset.PixelRepresentation = 0
    return dataset


def make_dicom_jpeg(rng, path, index):
    """As the RSNA challenge gives them: 8 bit, baseline JPEG in one fragment."""
    dataset = dicom_dataset(index, JPEGBaseline8Bit, 1024, 1024, 8, 8, "MONOCHROME2")
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
    dataset.PixelData = encapsulate([jpeg_bytes(rng, 1024, 1024, 0.016, 90)])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)


def dicom_12_bit(rng, index):
    photometric = "MONOCHROME1" if index % 8 == 7 else "MONOCHROME2"
    levels = np.rint(film(rng, 1024, 1024, 0.016) * rng.integers(3200, 4095)).astype(np.uint16)
    dataset = dicom_dataset(index, ExplicitVRLittleEndian, 1024, 1024, 16, 12, photometric)
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.PixelData = levels.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def make_dicom_raw(rng, path, index):
    dicom_12_bit(rng, index).save_as(path, enforce_file_format=True)


def make_dicom_rle(rng, path, index):
    dataset = dicom_12_bit(rng, index)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


MAKERS = {
    "jpeg": make_jpeg(518, 632, 0.013, 92),
    "jpeg-small": make_jpeg(320, 390, 0.015, 90),
    "jpeg-full": make_jpeg(2320, 2828, 0.013, 90),
    "dicom-jpeg": (make_dicom_jpeg, ".dcm"),
    "dicom-raw": (make_dicom_raw, ".dcm"),
    "dicom-rle": (make_dicom_rle, ".dcm"),
}
MIXED = {"dicom": ("dicom-jpeg", "dicom-raw")}
DEFAULT_KINDS = "jpeg,dicom-jpeg,dicom-raw,dicom"


def make_one(job):
    kind, index, seed, path = job
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, list(MAKERS).index(kind), index])
    MAKERS[kind][0](rng, path, index)


def paths_of(kind, count, root):
    """The files of a kind in order; a mixed kind alternates between the first files of its parts."""
    if kind in MIXED:
        parts = [paths_of(part, count, root) for part in MIXED[kind]]
        return [parts[index % len(parts)][index // len(parts)] for index in range(count)]
    return [f"{root}/{kind}/{index:05d}{MAKERS[kind][1]}" for index in range(count)]


def make_files(kinds, options):
    """Draws the files of the kinds that are not there yet; returns the paths of each kind."""
    plain = dict.fromkeys(part for kind in kinds for part in MIXED.get(kind, (kind,)))
    for kind in plain:
        folder, stamp = f"{options.work}/{kind}", {"maker": MAKER, "count": options.count, "seed": options.seed}
        note = f"{folder}/made.json"
        if not (os.path.exists(note) and json.load(open(note)) == stamp):
            started = time.time()
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            jobs = [(kind, i, options.seed, path) for i, path in enumerate(paths_of(kind, options.count, options.work))]
            with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
                pool.map(make_one, jobs, chunksize=8)
            json.dump(stamp, open(note, "w"))
            print(f"== made {len(jobs)} {kind} files in {time.time() - started:.0f} s", flush=True)
    return {kind: paths_of(kind, options.count, options.work) for kind in kinds}


# --------------------------------------------------------------------------- the Python pipeline
#
# Written from the behavioral specification, §3. Every step takes what the step before gave; (name, step) pairs let the
# same steps run untimed, timed as a whole, and timed one by one.


def read_jpeg(path):
    return cv2.imread(path, 0)


class ReadDicom:
    """Raw values and whether they are to be inverted.

    `plugin` names the decoder of baseline JPEG. pydicom 2 takes Pillow before pylibjpeg where both are installed, as they
    were for the published program; pydicom 3 takes pylibjpeg first, which is four times slower.
    """

    def __init__(self, plugin):
        self.plugin = plugin

    def __call__(self, path):
        dataset = pydicom.dcmread(path)
        if self.plugin != "default" and dataset.file_meta.TransferSyntaxUID == JPEGBaseline8Bit:
            dataset.pixel_array_options(decoding_plugin=self.plugin)
        return dataset.pixel_array, dataset.PhotometricInterpretation == "MONOCHROME1"


def scale_dicom(pair):
    values, is_inverted = pair
    image = cv2.convertScaleAbs(values, alpha=255.0 / values.max())
    return cv2.bitwise_not(image) if is_inverted else image


def fit(image, side=256):
    """The longer side becomes 256, zeros fill the shorter one on both sides."""
    height, width = image.shape
    factor = side / max(height, width)
    size = (side, int(width * factor)) if height >= width else (int(height * factor), side)
    image = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    missing = side - size[0], side - size[1]
    return np.pad(image, [(m // 2, m - m // 2) for m in missing], mode="constant", constant_values=0)


def to_rgb(image):
    return Image.fromarray(image).convert("RGB")


class OtsuCut:
    """Crops to the box of what is brighter than Otsu's threshold.

    The published step also works out the median and hands it over as a threshold, which OpenCV then ignores; it costs
    time all the same, so it is a choice here.
    """

    def __init__(self, with_median):
        self.with_median = with_median

    def __call__(self, image):
        pixels = np.array(image)
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        threshold = np.median(gray) if self.with_median else 0
        mask = cv2.threshold(gray, threshold, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
        rows, columns = np.where(mask > 0)
        if rows.size == 0:
            return image
        return Image.fromarray(pixels[rows.min():rows.max() + 1, columns.min():columns.max() + 1])


def pipeline(kind, transform, options, start="file"):
    """The steps from a path to a tensor; from a fitted picture with `start="fitted"`."""
    steps = []
    if start == "file" and kind.startswith("jpeg"):
        steps = [("decode", read_jpeg)]
    elif start == "file":
        steps = [("decode", ReadDicom(options.dicom_plugin)), ("scale", scale_dicom)]
    steps += [("fit", fit)] if start == "file" else []
    steps += [("rgb", to_rgb), ("otsu", OtsuCut(options.median)), ("resize", T.Resize((224, 224)))]
    if transform == "train":
        steps += [
            ("crop", T.RandomCrop(224)),
            ("jitter", T.RandomApply([T.ColorJitter(0.2, 0.2)], p=0.4)),
            ("blur", T.RandomApply([T.GaussianBlur(7, (0.1, 2.0))], p=0.4)),
            ("affine", T.RandomAffine(10, translate=(0.0625, 0.0625), scale=(0.8, 1.1))),
            ("gray", T.Grayscale(3)),
            ("flip", T.RandomHorizontalFlip()),
        ]
    else:
        steps += [("crop", T.CenterCrop(224))]
    return steps + [("tensor", T.ToTensor()), ("normalize", T.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))]


def run_steps(steps, value):
    for _, step in steps:
        value = step(value)
    return value


def rate(steps, inputs):
    """Images a second over all inputs, after a few to warm up, and the share of that time that the core was ours."""
    for value in inputs[:WARM_UP]:
        run_steps(steps, value)
    started, worked = time.perf_counter(), time.process_time()
    for value in inputs:
        run_steps(steps, value)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    return len(inputs) / seconds, worked / seconds


def stage_times(steps, inputs):
    """Median milliseconds an image of each step (of processor time), and the mean where a step is random."""
    times = {name: [] for name, _ in steps}
    for value in inputs[:WARM_UP]:
        run_steps(steps, value)
    for value in inputs:
        for name, step in steps:
            started = time.thread_time()
            value = step(value)
            times[name].append((time.thread_time() - started) * 1000)
    # jitter and blur are skipped for most pictures, so their median says nothing.
    return {name: statistics.fmean(t) if name in ("jitter", "blur", "flip") else statistics.median(t)
            for name, t in times.items()}


# --------------------------------------------------------------------------- cleft


def children_seconds():
    """Processor time of the programs that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Cleft:
    def __init__(self, program, work):
        self.program, self.work = program, work

    def run(self, *arguments):
        """Standard output; what went wrong otherwise is the program's own last words."""
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=3600)
        if result.returncode != 0:
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]
            sys.exit(f"data: `{self.program} {' '.join(arguments[:6])} ...` ended with {result.returncode}: {said}")
        return result.stdout

    def listing(self, kind, paths):
        name = f"{self.work}/{kind}.txt"
        with open(name, "w") as file:
            file.write("\n".join(paths) + "\n")
        return name

    def rate(self, listing, transform, prepared=None):
        """Images a second as the program says them, and the share of its time that the core was its own."""
        more = ["--prepared", prepared] if prepared else []
        started, worked = time.perf_counter(), children_seconds()
        said = self.run("preprocess", "--list", listing, "--split", transform, "--threads", "1",
                        "--compat", "reference", *more)
        share = (children_seconds() - worked) / (time.perf_counter() - started)
        found = re.findall(r"([0-9.]+) images/s", said)
        if not found:
            sys.exit(f"data: cleft preprocess said no '... images/s': {said.strip() or 'nothing'}")
        return float(found[-1]), share

    def prepare(self, listing, folder):
        shutil.rmtree(folder, ignore_errors=True)
        self.run("prepare", "--list", listing, "--out", folder, "--compat", "reference")
        return folder

    def tensors(self, paths, prepared=None):
        """The evaluation tensors, float32 [N, 3, 224, 224]."""
        name, more = f"{self.work}/check.safetensors", ["--prepared", prepared] if prepared else []
        self.run("preprocess", *paths, "--out", name, "--compat", "reference", *more)
        with open(name, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            body = file.read()
        entry = header["images"]
        if entry["dtype"] != "F32":
            sys.exit(f"data: images in {name} are {entry['dtype']}; expected F32")
        first, last = entry["data_offsets"]
        return np.frombuffer(body[first:last], "<f4").reshape(entry["shape"])


def compare(cleft, kind, paths, options):
    """Differences of cleft's evaluation tensors from Python's, in gray levels."""
    paths = paths[:options.check]
    ours, steps = cleft.tensors(paths), pipeline(kind, "eval", options)
    theirs = np.stack([run_steps(steps, path).numpy() for path in paths])
    if ours.shape != theirs.shape:
        sys.exit(f"data: cleft's tensors of {kind} are {ours.shape}; expected {theirs.shape}")
    difference = np.abs(ours - theirs) * 127.5
    inside = difference[:, :, FRAME:-FRAME, FRAME:-FRAME]
    # "not at most" rather than "above", so that a value that is not a number counts as too far off.
    is_off = ~(inside.max(axis=(1, 2, 3)) <= LARGEST_DIFFERENCE + 1e-3)
    worst = int(difference.max(axis=(1, 2, 3)).argmax())
    return {
        "files": len(paths), "largest": float(difference.max()), "largest_inside": float(inside.max()),
        "mean": float(difference.mean()), "differing_fraction": float((difference > 0.5).mean()),
        "files_too_far_off": int(is_off.sum()), "worst_file": os.path.relpath(paths[worst], options.work),
        "passes": not is_off.any(),
    }


def check_prepared(cleft, kind, paths, prepared, options):
    """A prepared picture must be the very picture that its file gives."""
    paths = paths[:options.check]
    if paths and not np.array_equal(cleft.tensors(paths), cleft.tensors(paths, prepared)):
        sys.exit(f"data: the prepared {kind} pictures are not those that the files give")


# --------------------------------------------------------------------------- measuring


def fitted_pictures(kind, paths, options):
    """Python's fitted pictures in one file, mapped: the least that a prepared picture can cost it."""
    name = f"{options.work}/{kind}-fitted.npy"
    fit_index = 1 + [name for name, _ in pipeline(kind, "eval", options)].index("fit")
    steps = pipeline(kind, "eval", options)[:fit_index]
    np.save(name, np.stack([run_steps(steps, path) for path in paths]))
    return np.load(name, mmap_mode="r")


class Quiet:
    """Repeats a measurement during which something else took the core, and counts those that stayed disturbed."""

    ATTEMPTS, SHARE = 4, 0.95

    def __init__(self):
        self.measured = self.disturbed = 0
        self.least = 1.0

    def __call__(self, work, *arguments):
        best = (0.0, 0.0)
        for _ in range(self.ATTEMPTS):
            best = max(best, work(*arguments), key=lambda pair: pair[1])
            if best[1] >= self.SHARE:
                break
        self.measured += 1
        self.disturbed += best[1] < self.SHARE
        self.least = min(self.least, best[1])
        return best[0]


def measure(cleft, kind, paths, options, quiet):
    """Rows of the table for one kind: images a second of both sides in every round."""
    listing, rows, prepared, fitted = cleft.listing(kind, paths), {}, None, None
    if options.prepared:
        prepared = cleft.prepare(listing, f"{options.work}/{kind}-prepared")
        check_prepared(cleft, kind, paths, prepared, options)
        fitted = fitted_pictures(kind, paths, options)

    def add(row, ours, python):
        rows.setdefault(row, {"cleft": [], "python": []})
        rows[row]["cleft"].append(ours)
        rows[row]["python"].append(python)

    for _ in range(options.rounds):
        for transform in options.transforms:
            ours = quiet(cleft.rate, listing, transform)
            python = quiet(rate, pipeline(kind, transform, options), paths)
            add(transform, ours, python)
            if prepared:
                ours = quiet(cleft.rate, listing, transform, prepared)
                from_fitted = quiet(rate, pipeline(kind, transform, options, start="fitted"), fitted)
                add(f"{transform}, prepared / files", ours, python)
                add(f"{transform}, prepared / prepared", ours, from_fitted)
    return rows


def summary(row):
    ratios = [ours / python for ours, python in zip(row["cleft"], row["python"])]
    return {
        "cleft": statistics.median(row["cleft"]), "python": statistics.median(row["python"]),
        "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
        "rounds": [{"cleft": a, "python": b} for a, b in zip(row["cleft"], row["python"])],
    }


def show(rows):
    width = max(len(row["transform"]) for row in rows)
    print(f"\n{'kind':10}  {'transform':{width}}  cleft images/s  Python images/s  ratio [min-max]")
    for row in rows:
        print(f"{row['kind']:10}  {row['transform']:{width}}  {row['cleft']:14.1f}  {row['python']:15.1f}  "
              f"{row['ratio']:5.2f} [{row['ratio_min']:.2f}-{row['ratio_max']:.2f}]")


def show_stages(kind, transform, times):
    print(f"{kind}, {transform}: {sum(times.values()):.2f} ms an image: "
          + ", ".join(f"{name} {ms:.2f}" for name, ms in times.items()), flush=True)


def environment():
    """What the figures depend on, without naming the machine."""
    found = importlib.util.find_spec("libjpeg") is not None
    return {
        "processor": next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                          platform.machine()),
        "python": platform.python_version(), "opencv": cv2.__version__, "pillow": PIL.__version__,
        "torch": torch.__version__, "torchvision": torchvision.__version__, "pydicom": pydicom.__version__,
        "numpy": np.__version__, "pylibjpeg": found,
    }


# --------------------------------------------------------------------------- the command


def list_of(allowed):
    def parse(text):
        names = [name for name in text.split(",") if name]
        unknown = [name for name in names if name not in allowed]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"'{', '.join(unknown) or text}'; expected some of {', '.join(allowed)}")
        return names
    return parse


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}; expected at least 1")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    kinds, transforms = [*MAKERS, *MIXED], ["eval", "train"]
    add("--work", default=".bench/data", help="where the made files go (default: %(default)s)")
    add("--kinds", type=list_of(kinds), default=DEFAULT_KINDS.split(","),
        help=f"some of {','.join(kinds)} (default: {DEFAULT_KINDS})")
    add("--transforms", type=list_of(transforms), default=transforms, help="eval, train or both (default)")
    add("--count", type=positive, default=500, help="files of each kind (default: %(default)s)")
    add("--rounds", type=positive, default=5, help="rounds; medians are over these (default: %(default)s)")
    add("--seed", type=int, default=42, help="seed of the made files (default: %(default)s)")
    add("--check", type=int, default=40, metavar="N", help="files of each kind to compare, 0 for none (default: %(default)s)")
    add("--cpu", type=int, help="the core to run on (default: the last one allowed)")
    add("--json", metavar="FILE", help="write everything measured, round by round")
    add("--cleft", default=os.environ.get("CLEFT") or ".build/release/cleft", help="the program to measure")
    add("--no-prepared", dest="prepared", action="store_false", help="leave out the rows of prepared pictures")
    add("--no-median", dest="median", action="store_false",
        help="spare the Python side the median that the published Otsu step works out and never uses")
    add("--dicom-plugin", choices=["pillow", "pylibjpeg", "default"], default="pillow",
        help="pydicom's decoder of baseline JPEG; default is its own choice (default: %(default)s, the fastest)")
    add("--make-only", action="store_true", help="make the files, run nothing")
    add("--stages", action="store_true", help="time each step of the Python side, run no cleft")
    return parser.parse_args()


def time_stages(files, options):
    for kind, paths in files.items():
        for transform in options.transforms:
            rounds = [stage_times(pipeline(kind, transform, options), paths) for _ in range(options.rounds)]
            show_stages(kind, transform, {name: statistics.median(r[name] for r in rounds) for name in rounds[0]})


def main():
    options = parse_arguments()
    warnings.simplefilter("ignore")
    os.makedirs(options.work, exist_ok=True)
    files = make_files(options.kinds, options)
    if options.make_only:
        return 0
    # Children inherit this, so both sides have the same core to themselves in turn.
    allowed = os.sched_getaffinity(0)
    if options.cpu is not None and options.cpu not in allowed:
        sys.exit(f"data: --cpu is {options.cpu}; expected one of {', '.join(map(str, sorted(allowed)))}")
    os.sched_setaffinity(0, {max(allowed) if options.cpu is None else options.cpu})
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    for kind, paths in files.items():
        size = statistics.fmean(os.path.getsize(path) for path in paths)
        print(f"== {kind}: {len(paths)} files, {size / 1000:.0f} kB on average")
    if options.stages:
        time_stages(files, options)
        return 0

    cleft, quiet = Cleft(os.path.abspath(options.cleft), options.work), Quiet()
    rows, checks, is_good = [], {}, True
    for kind, paths in files.items():
        if options.check > 0:
            checks[kind] = found = compare(cleft, kind, paths, options)
            is_good = is_good and found["passes"]
            print(f"== {kind}: {found['files']} pictures differ by at most {found['largest']:.2f} levels, "
                  f"{found['largest_inside']:.2f} inside, {found['differing_fraction']:.2%} of pixels"
                  + ("" if found["passes"] else f"  NOT THE SAME: {found['files_too_far_off']} pictures, first look at "
                     f"{found['worst_file']}"), flush=True)
    for kind, paths in files.items():
        for name, row in measure(cleft, kind, paths, options, quiet).items():
            rows.append({"kind": kind, "transform": name, **summary(row)})
        print(f"== measured {kind}", flush=True)
    show(rows)
    if quiet.disturbed:
        print(f"\ndata: in {quiet.disturbed} of {quiet.measured} measurements something else took the core "
              f"(the worst had {quiet.least:.0%} of it): run this again on a quieter machine", file=sys.stderr)
    if options.json:
        settings = {name: getattr(options, name) for name in ("count", "rounds", "seed", "median", "dicom_plugin")}
        with open(options.json, "w") as file:
            json.dump({"environment": environment(), "settings": settings, "disturbed": quiet.disturbed,
                       "measured": quiet.measured, "checks": checks, "rows": rows}, file, indent=1)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

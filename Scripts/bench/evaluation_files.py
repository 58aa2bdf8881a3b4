"""Made test sets for `Scripts/bench/evaluation`: what `cleft synth` does not draw.

Odd chest films (sizes that lose a column, color, EXIF, 16 bits), DICOM files of every kind the readers must tell apart, and a
small EMBED in the published layout. Everything is drawn with a seed.
"""
import csv
import os
import pickle

import cv2
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import data
import published

END = "<|endoftext|>"


def write_table(path, columns, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


# --------------------------------------------------------------------------- chest films

# (height, width): squares that lose a column, pictures of the fitted size, ones halved exactly, tall ones, wide ones.
FILM_SIZES = [(196, 196), (206, 206), (256, 256), (512, 512), (768, 768), (320, 390), (390, 320), (249, 166), (101, 152),
              (64, 300), (300, 64), (161, 187), (1024, 700), (257, 255)]


def make_films(root):
    """CheXpert's test table over odd files; every seventh row is a lateral view, which is not to be read."""
    folder, rows = f"{root}/CheXpert/CheXpert-v1.0", []
    for index in range(70):
        rng = np.random.default_rng([71, index])
        levels = np.rint(data.film(rng, *FILM_SIZES[index % len(FILM_SIZES)], 0.02) * 255).astype(np.uint8)
        name = f"train/patient{index:05d}/study1/view1_frontal" + (".png" if index % 5 == 3 else ".jpg")
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        write_film(f"{folder}/{name}", levels, index, rng)
        present = {published.FIVE[index % 5], *rng.choice(published.FINDINGS[:13], 2)} if index % 3 == 0 else {
            published.FIVE[index % 5]}
        cells = ["1.0" if f in present else rng.choice(["0.0", "-1.0", ""]) for f in published.FINDINGS]
        rows.append([f"CheXpert-v1.0/{name}", "" if index % 7 == 6 else "AP" if index % 2 else "PA", *cells])
    write_table(f"{root}/CheXpert/chexpert_5x200.csv", ["Path", "AP/PA", *published.FINDINGS], rows)


def write_film(path, levels, index, rng):
    kind = index % 5
    if kind == 3:  # 16 bits, of which a reader for 8 takes the upper ones.
        levels = levels.astype(np.uint16) * 256 + rng.integers(0, 256, levels.shape, dtype=np.uint16)
    if kind == 1:  # Tinted, so that luma is not one of the channels.
        levels = np.stack([levels, np.rint(levels * 0.9).astype(np.uint8), np.rint(levels * 0.7).astype(np.uint8)], 2)
    cv2.imwrite(path, levels)
    if kind == 2:
        turn(path, orientation=index % 8 + 1)


def turn(path, orientation):
    """Puts an EXIF orientation behind a JPEG file's first marker."""
    with open(path, "rb") as file:
        content = file.read()
    tiff = b"MM\0*\0\0\0\x08\0\x01" + b"\x01\x12\0\x03\0\0\0\x01" + orientation.to_bytes(2, "big") + b"\0\0" + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    with open(path, "wb") as file:
        file.write(content[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + content[2:])


# --------------------------------------------------------------------------- DICOM


def dicom(path, values, index, photometric="MONOCHROME2", stored=12, signed=False, **elements):
    """Writes a file of 16-bit cells."""
    rows, columns = values.shape
    file = data.dicom_dataset(index, ExplicitVRLittleEndian, rows, columns, 16, stored, photometric)
    file.PixelRepresentation = int(signed)
    for name, value in elements.items():
        setattr(file, name, value)
    file.PixelData = values.astype(np.int16 if signed else np.uint16).tobytes()
    file["PixelData"].VR = "OW"
    compress(file, path, index)


def compress(file, path, index):
    if index % 10 == 9 and not file.PixelRepresentation:
        file.compress(RLELossless, generate_instance_uid=False)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    file.save_as(path, enforce_file_format=True)


def lookup_table(rng, entries, first):
    """A VOI LUT that rises unevenly; of 12 bits, as pydicom 3 looks up one of 8 bits by the index modulo 256."""
    steps = np.sort(rng.integers(0, 4096, entries)).astype(np.uint16)
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [entries, first, 12], steps.tolist()
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    return Sequence([item])


def dicom_kind(index, rng, levels):
    """Cells and elements of the kinds of files in turn."""
    cells = np.rint(levels * rng.integers(2000, 4095))
    kind = index % 8
    if kind == 1:
        return cells, dict(photometric="MONOCHROME1")
    if kind == 2:
        return cells - 1000, dict(signed=True, stored=16)
    if kind == 3:
        return cells, dict(WindowCenter="1200", WindowWidth="1801")
    if kind == 4:
        return cells, dict(photometric="MONOCHROME1", WindowCenter="1500", WindowWidth="2300", VOILUTFunction="LINEAR_EXACT")
    if kind == 5:
        return cells, dict(WindowCenter="1100", WindowWidth="1500", VOILUTFunction="SIGMOID")
    if kind == 6:
        return cells, dict(RescaleSlope="2", RescaleIntercept="-1024")
    if kind == 7:
        return cells, dict(VOILUTSequence=lookup_table(rng, 3000, 200))
    return cells, {}


def make_dicoms(root):
    """RSNA's test table over files of every kind."""
    folder, rows = f"{root}/RSNA Pneumonia/stage_2_train_images", []
    for index in range(48):
        rng = np.random.default_rng([72, index])
        levels = data.film(rng, 150 + 3 * index, 260 - 2 * index, 0.02)
        path = f"{folder}/made-{index:02d}.dcm"
        if index % 12 == 11:  # As the challenge gives them: 8 bits, baseline JPEG.
            gray = np.rint(levels * 255).astype(np.uint8)
            file = data.dicom_dataset(index, JPEGBaseline8Bit, *gray.shape, 8, 8, "MONOCHROME2")
            file.PixelData = encapsulate([cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()])
            file["PixelData"].is_undefined_length = True
            os.makedirs(folder, exist_ok=True)
            file.save_as(path, enforce_file_format=True)
        else:
            cells, elements = dicom_kind(index, rng, levels)
            dicom(path, cells, index, **elements)
        rows.append([f"made-{index:02d}", index % 2])
    write_table(f"{root}/RSNA Pneumonia/stage_2_test_balance.csv", ["patientId", "Target"], rows)


# --------------------------------------------------------------------------- EMBED

METADATA = ["empi_anon", "acc_anon", "anon_dicom_path", "FinalImageType", "ImageLateralityFinal", "ViewPosition",
            "StudyDescription"]
CLINICAL = ["acc_anon", "side", "tissueden", "asses", "age_at_study", "RACE_DESC", "ETHNIC_GROUP_DESC", "massshape", "massdens",
            "calcfind", "calcdistri"]
LEGEND = [("massshape", "O", "Oval"), ("massshape", "R", "Round"), ("massdens", "+", "High density"),
          ("massdens", "-", "Low density"), ("calcfind", "A", "Amorphous"), ("calcdistri", "G", "Grouped")]


def clinical_rows(index, rng):
    """The annotations of one examination; every third has one for each side, of which the picture's is to be taken.

    Ages are whole numbers, which the published program does not read; densities are not.
    """
    letters, side = list(published.ASSESSMENTS), "LR"[index % 2]
    density = "" if index == 5 else f"{5 if index == 11 else index % 4 + 1}.0"
    race = ["African American  or Black", "Caucasian or White", ""][index % 3]
    codes = [["O", "+", "A", "G"], ["R", "", "", ""], ["", "-", "A", "?"], ["R", "-", "", "G"]][index % 4]
    row = [8000 + index, side, density, letters[index % 7], 40 + index % 45, race,
           ["Hispanic or Latino", "", "Unknown"][index % 3], *codes]
    other = [8000 + index, "RL"[index % 2], "2.0", letters[int(rng.integers(7))], 40 + index % 45, race, "", "", "", "", ""]
    return [other, row] if index % 3 == 0 else [row] if index % 3 == 1 else [row[:1] + ["B"] + row[2:]]


def make_embed(root, count=56):
    """Test pictures, annotations, the legend and the densities; the other splits have the same pictures."""
    folder, rows, annotations, densities = f"{root}/Embed", [], [], {}
    procedures = ["MG Screening Bilateral w/CAD", "MG Diagnostic Left w/Tomo", "MG Screen Bilat 3D"]
    for index in range(count):
        rng = np.random.default_rng([73, index])
        name = f"cohort_1/{60000 + index}/{index}.dcm"
        levels = data.film(rng, 180 + index, 120 + index % 30, 0.02)
        photometric = "MONOCHROME1" if index % 4 == 3 else "MONOCHROME2"
        dicom(f"{folder}/images/{name}", np.rint(levels * 4000), index, photometric)
        kind, side = "cview" if index == 8 else "2D", ["L", "R"][index % 2]
        rows.append([60000 + index, 8000 + index, f"{published.EMBED_PREFIX}/{name}", kind, side, ["CC", "MLO", ""][index % 3],
                     procedures[index % 3]])
        annotations += clinical_rows(index, rng)
        if index != 13:
            densities[f"{folder}/images/{name}"] = index % 5 + 1
    for split in ("train", "valid", "test"):
        write_table(f"{folder}/tables/EMBED_OpenData_metadata_reduced_{split}.csv", METADATA, rows)
        with open(f"{folder}/{split}_path2density.pickle", "wb") as file:
            pickle.dump(densities, file)
    write_table(f"{folder}/tables/EMBED_OpenData_clinical_reduced.csv", CLINICAL[:7], [row[:7] for row in annotations])
    write_table(f"{folder}/tables/EMBED_OpenData_clinical.csv", CLINICAL, annotations)
    write_table(f"{folder}/tables/AWS_Open_Data_Clinical_Legend.csv", ["Header in export", "Code", "Meaning"], LEGEND)


def make_tokenizer(root, path):
    """A byte-level BPE vocabulary of EMBED's texts, small enough for the tiny model."""
    texts = []
    for family in ("simple", "structural", "natural"):
        for behavior in (published.PUBLISHED, published.OURS):
            test = published.embed(root, behavior, False, family, instance=True)
            texts += [item.prefix + prompt for item in test.items for prompt in test.prompts]
    texts += published.embed(root, published.OURS, False, "default", density=True).prompts
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # The end comes last, as in BioMedLM's vocabulary.
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(sorted(set(texts)), trainer)
    tokenizer.add_special_tokens([END])
    tokenizer.save(path)

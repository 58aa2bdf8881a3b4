"""Small pictures of every kind that cleft decodes, and the gray levels other libraries get from them.

    python make.py

needs numpy, opencv-python-headless, Pillow, pydicom with pylibjpeg (-libjpeg, -openjpeg, -rle), and DCMTK's dcmcjpeg and
dcmcjpls in the PATH. Everything is drawn from one seed.
"""
import io
import itertools
import json
import pathlib
import struct
import subprocess
import zlib

import cv2
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless,
                         SecondaryCaptureImageStorage)

here = pathlib.Path(__file__).parent
draw = np.random.default_rng(20)
expected = {}


# PNG: a writer of our own, because no library writes all of these.

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def scanlines(samples, depth):
    lines = b""
    for row in samples.reshape(samples.shape[0], -1):
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:]
            packed = np.packbits(bits.reshape(-1)).tobytes()
        lines += b"\0" + packed
    return lines


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png_bytes(samples, depth, kind, interlaced=False, before=b"", after=b"", size=None):
    height, width = size or samples.shape[:2]
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    data = zlib.compress(b"".join(scanlines(part, depth) for part in parts if part.size))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + after
            + chunk(b"IEND", b""))


def noise(channels, depth, height=19, width=21):
    return draw.integers(0, 1 << depth, (height, width, channels))


def tiff(orientation, order):
    mark = b"II" if order == "<" else b"MM"
    return (mark + struct.pack(order + "HIH", 42, 8, 1)
            + struct.pack(order + "HHIHHI", 0x0112, 3, 1, orientation, 0, 0))


def keep(name, data):
    (here / name).write_bytes(data)
    expected[name] = cv2.imread(str(here / name), cv2.IMREAD_GRAYSCALE)


def make_png():
    for depth, interlaced in itertools.product((1, 2, 4, 8, 16), (False, True)):
        keep(f"gray{depth}{'_i' * interlaced}.png", png_bytes(noise(1, depth), depth, 0, interlaced))
    for depth, interlaced in itertools.product((8, 16), (False, True)):
        for name, kind, channels in (("graya", 4, 2), ("rgb", 2, 3), ("rgba", 6, 4)):
            keep(f"{name}{depth}{'_i' * interlaced}.png",
                 png_bytes(noise(channels, depth), depth, kind, interlaced))
    keep("rgb8_neutral.png", png_bytes(noise(1, 8).repeat(3, 2), 8, 2))
    for depth in (1, 2, 4, 8):
        colors = chunk(b"PLTE", draw.bytes(3 << depth))
        keep(f"palette{depth}.png", png_bytes(noise(1, depth), depth, 3, depth == 4, colors))
        alphas = chunk(b"tRNS", draw.bytes(1 << depth))
        keep(f"palette{depth}_t.png", png_bytes(noise(1, depth), depth, 3, depth == 2, colors + alphas))
    keep("rgb8_gamma.png", png_bytes(noise(3, 8), 8, 2, before=chunk(b"gAMA", struct.pack(">I", 55556))))
    keep("gray8_exif6.png", png_bytes(noise(1, 8), 8, 0, before=chunk(b"eXIf", tiff(6, "<"))))
    keep("rgb8_exif5_after.png", png_bytes(noise(3, 8), 8, 2, after=chunk(b"eXIf", tiff(5, ">"))))


# JPEG

def smooth(height, width, channels=1):
    coarse = draw.integers(0, 256, (height // 4 + 2, width // 4 + 2, channels), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)


def jpeg_bytes(samples, **options):
    buffer = io.BytesIO()
    Image.fromarray(samples.squeeze()).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def segment(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def make_jpeg():
    gray, color = smooth(37, 45), smooth(37, 45, 3)
    for progressive in (False, True):
        end = "_p" * progressive + ".jpg"
        keep("gray" + end, jpeg_bytes(gray, quality=90, progressive=progressive))
        for subsampling in range(3):
            keep(f"color{('444', '422', '420')[subsampling]}{end}",
                 jpeg_bytes(color, quality=85, progressive=progressive, subsampling=subsampling))
        keep("adobe_rgb" + end, jpeg_bytes(color, quality=90, progressive=progressive, keep_rgb=True))
    for name, factors in (("440", 0x121111), ("411", 0x411111)):
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factors, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
        keep(f"color{name}_restart.jpg", cv2.imencode(".jpg", color, options)[1].tobytes())
    plain = jpeg_bytes(gray, quality=80)
    for orientation in range(10):
        exif = segment(b"Exif\0\0" + tiff(orientation, "<>"[orientation % 2]))
        keep(f"exif{orientation}.jpg", plain[:2] + exif + plain[2:])
    xmp = segment(b"http://ns.adobe.com/xap/1.0/\0<x/>")
    keep("exif_after_xmp.jpg", plain[:2] + xmp + segment(b"Exif\0\0" + tiff(8, ">")) + plain[2:])


# DICOM

def film(bits, signed=0, height=33, width=35):
    levels = smooth(height, width)[..., 0] / 255 * (2**bits - 4) + draw.random((height, width)) * 3
    return np.floor(levels).astype(np.int64) - (signed << (bits - 1))


def dataset(cells, bits, signed=0, syntax=ExplicitVRLittleEndian, **elements):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns = cells.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = 8 if bits <= 8 else 16
    data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, signed
    for name, value in elements.items():
        setattr(data, name, value)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    stored = cells.astype(f"{order}{'i' if signed else 'u'}{data.BitsAllocated // 8}").tobytes()
    data.PixelData = stored + b"\0" * (len(stored) % 2)
    data["PixelData"].VR = "OW" if bits > 8 or syntax == ImplicitVRLittleEndian else "OB"
    return data


def table(first, bits, entries, vr="US"):
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(entries), first, bits])
    item.add_new("LUTData", "US", [int(entry) for entry in entries])
    return [item]


def as_published(data, stored):
    top = stored.max()
    factor = np.float32(255 / float(top)) if top else np.float32(0)
    return np.minimum(np.rint(np.abs(stored.astype(np.float32) * factor)), 255)


def as_shown(data, stored):
    """pydicom's LUTs; by hand where it cannot: bits above the stored ones, modality LUTs of 12 bits."""
    stored = stored.astype(np.int64) & ((1 << data.BitsStored) - 1)
    if data.PixelRepresentation:
        stored = np.where(stored >> (data.BitsStored - 1), stored - (1 << data.BitsStored), stored)
    if "ModalityLUTSequence" in data:
        count, first, bits = data.ModalityLUTSequence[0].LUTDescriptor
        values = np.array(data.ModalityLUTSequence[0].LUTData)[np.clip(stored - first, 0, count - 1)]
        if "WindowCenter" in data:
            center, width = float(data.WindowCenter), float(data.WindowWidth)
            return np.rint(np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255)
    else:
        values = apply_modality_lut(stored, data)
    if "VOILUTSequence" in data:
        largest = 2 ** data.VOILUTSequence[0].LUTDescriptor[2] - 1
        return np.rint(apply_voi_lut(values.astype(np.int64), data) / largest * 255)
    if "WindowCenter" in data:
        low = -(1 << (data.BitsStored - 1)) if data.PixelRepresentation else 0
        ends = np.array([low, low + (1 << data.BitsStored) - 1], float)
        low, high = ends * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))
        return np.rint((apply_voi_lut(values, data) - low) / (high - low) * 255)
    low = min(0, values.min())
    span = values.max() - low
    return np.rint((values - low) * (255 / span if span else 0))


def keep_dicom(name, data, stored=None):
    """`stored`: the cells, where pydicom 3 would mask them and the published pydicom 2.4 does not."""
    if data is not None:
        data.save_as(here / name, enforce_file_format=True)
    data = pydicom.dcmread(here / name)
    if stored is None:
        is_jpeg = data.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
        stored = pixel_array(data, decoding_plugin="pillow") if is_jpeg else data.pixel_array
    for rendering, levels in (("maximum", as_published(data, stored)), ("display", as_shown(data, stored))):
        if data.PhotometricInterpretation == "MONOCHROME1":
            levels = 255 - levels
        expected[f"{name}.{rendering}"] = levels.astype(np.uint8)


def run(tool, *arguments):
    subprocess.run([tool, *map(str, arguments)], check=True)


def make_stored():
    for bits, signed in ((8, 0), (8, 1), (10, 0), (12, 0), (12, 1), (16, 0), (16, 1)):
        cells, end = film(bits, signed), f"{bits}{'s' * signed}.dcm"
        for kind, syntax in (("plain", ExplicitVRLittleEndian), ("implicit", ImplicitVRLittleEndian),
                             ("big", ExplicitVRBigEndian), ("deflated", DeflatedExplicitVRLittleEndian)):
            keep_dicom(f"{kind}{end}", dataset(cells, bits, signed, syntax))
        for kind, syntax, options in (("rle", RLELossless, {}), ("j2k", JPEG2000Lossless, {}),
                                      ("j2klossy", JPEG2000, {"j2k_psnr": [60]})):
            data = dataset(cells, bits, signed)
            data.compress(syntax, **options)
            keep_dicom(f"{kind}{end}", data)
        for kind, tool, option in (("lossless14", "dcmcjpeg", "+el"), ("sv1", "dcmcjpeg", "+e1"),
                                   ("jpegls", "dcmcjpls", "+el")):
            run(tool, option, here / f"plain{end}", here / f"{kind}{end}")
            keep_dicom(f"{kind}{end}", None)
    run("dcmcjpls", "+en", "+md", 2, here / "plain12.dcm", here / "nearlossless12.dcm")
    keep_dicom("nearlossless12.dcm", None)
    run("dcmcjpeg", "+ee", "+q", 95, here / "plain12.dcm", here / "extended12.dcm")
    keep_dicom("extended12.dcm", None)
    data = dataset(film(8), 8)
    frame = jpeg_bytes(data.pixel_array.astype(np.uint8), quality=92)
    data.PixelData = encapsulate([frame], fragments_per_frame=3)
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    keep_dicom("baseline8.dcm", data)


def make_shown():
    for bits, signed in ((8, 0), (12, 0), (12, 1), (16, 1)):
        cells, end, vr = film(bits, signed), f"{bits}{'s' * signed}.dcm", "SS" if signed else "US"
        low, span = int(cells.min()), int(cells.max() - cells.min())
        center, width = round(low + span / 2, 1), round(span * 0.6, 1)
        curve = np.linspace(0, 1, max(span // 8, 40)) ** 0.5
        window = {"WindowCenter": center, "WindowWidth": width}
        shown = {
            "window": window,
            "exact": {**window, "VOILUTFunction": "LINEAR_EXACT"},
            "sigmoid": {**window, "VOILUTFunction": "SIGMOID"},
            "threshold": {"WindowCenter": round(center), "WindowWidth": 1},
            "several": {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": [center, 3],
                        "WindowWidth": [200, 7]},
            "inverse": {"PhotometricInterpretation": "MONOCHROME1"},
            "rescaled": {"RescaleSlope": 1.5, "RescaleIntercept": -200},
            "padded": {"RescaleSlope": 0.25, "RescaleIntercept": 300, "PixelPaddingValue": low},
            "hounsfield": {"RescaleSlope": 2, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 400},
            "voi": {**window, "VOILUTSequence": table(low + span // 3, 12, curve * 4095, vr)},
            "voi1": {"PhotometricInterpretation": "MONOCHROME1",
                     "VOILUTSequence": table(low, 16, curve * 65535, vr)},
            "modality": {"ModalityLUTSequence": table(low + span // 4, 12, curve * 4095, vr)},
            "modalitywindow": {"ModalityLUTSequence": table(low, 12, curve * 4095, vr), "WindowCenter": 2000,
                               "WindowWidth": 1500},
        }
        for name, elements in shown.items():
            keep_dicom(name + end, dataset(cells, bits, signed, **elements))
        keep_dicom("voiimplicit" + end, dataset(cells, bits, signed, ImplicitVRLittleEndian, **shown["voi"]))
    cells = film(10) | draw.integers(0, 2, (33, 35)) << 13
    keep_dicom("overlay10.dcm", dataset(cells, 16, BitsStored=10, HighBit=9), stored=cells)
    for name, row, signed in (("vector12", [0, 1, 2, 3, 5, 1000, 3000, 4095], 0),
                              ("vectorhalf", [1, 3, 5, 7, 9, 510], 0), ("vectorsigned", [-5, -1, 0, 3], 1),
                              ("vectorzero", [0, 0, 0, 0], 0)):
        keep_dicom(name + ".dcm", dataset(np.array([row]), 16, signed))


# What must be refused

def make_bad():
    cells, bad = film(12), here / "bad"
    for name, elements in {
        "frames": {"NumberOfFrames": 3}, "rgb": {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
        "palette": {"PhotometricInterpretation": "PALETTE COLOR"}, "cells32": {"BitsAllocated": 32},
        "bomb": {"Rows": 20000, "Columns": 10000}, "limit": {"Rows": 60000, "Columns": 60000},
        "norows": {"Rows": 0}, "highbit": {"HighBit": 3}, "width": {"WindowCenter": 3, "WindowWidth": 0},
        "function": {"WindowCenter": 3, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
        "table": {"VOILUTSequence": table(0, 12, range(9))},
    }.items():
        data = dataset(cells, 12, **elements)
        if name == "table":
            data.VOILUTSequence[0].LUTDescriptor = [300, 0, 12]
        data.save_as(bad / f"{name}.dcm", enforce_file_format=True)
    for name, syntax in (("bombrle", RLELossless), ("bombj2k", JPEG2000Lossless)):
        data = dataset(cells, 12)
        data.compress(syntax)
        data.Rows, data.Columns = 20000, 10000
        data.save_as(bad / f"{name}.dcm", enforce_file_format=True)
    # The stream of a whole file is cut, and for JPEG given its end mark again.
    for name in ("j2k12", "jpegls12", "sv112", "extended12", "baseline8"):
        data = pydicom.dcmread(here / f"{name}.dcm")
        frame = next(generate_frames(data.PixelData, number_of_frames=1))
        half = len(frame) // 4 * 2
        for end, mark in (("cut", b""), ("ended", b"\xff\xd9")):
            data.PixelData = encapsulate([frame[:half] + mark])
            data.save_as(bad / f"{name}_{end}.dcm", enforce_file_format=True)
    (bad / "bomb.png").write_bytes(png_bytes(noise(1, 8), 8, 0, size=(20000, 10000)))
    (bad / "zero.png").write_bytes(png_bytes(noise(1, 8), 8, 0, size=(0, 21)))
    whole = jpeg_bytes(smooth(37, 45), quality=80)
    at = whole.index(b"\xff\xc0")
    for name, data in {
        "bomb": whole[:at + 5] + struct.pack(">HH", 20000, 10000) + whole[at + 9:],
        "zero": whole[:at + 5] + bytes(4) + whole[at + 9:], "bits12": whole[:at + 4] + b"\x0c" + whole[at + 5:],
        "arithmetic": whole[:at + 1] + b"\xc9" + whole[at + 2:],
        "lossless": whole[:at + 1] + b"\xc3" + whole[at + 2:],
    }.items():
        (bad / f"{name}.jpg").write_bytes(data)
    Image.new("CMYK", (20, 20), (1, 2, 3, 4)).save(bad / "cmyk.jpg")


def write_expected(kind):
    """One file a kind, so that each stays small."""
    header, offset = {}, 0
    for name, levels in sorted(expected.items()):
        header[name] = {"dtype": "U8", "shape": list(levels.shape), "data_offsets": [offset, offset + levels.size]}
        offset += levels.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(levels).tobytes() for _, levels in sorted(expected.items()))
    (here / f"expected_{kind}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    print(len(expected), kind)
    expected.clear()


(here / "bad").mkdir(exist_ok=True)
make_png()
make_jpeg()
write_expected("pictures")
make_stored()
write_expected("stored")
make_shown()
write_expected("shown")
make_bad()

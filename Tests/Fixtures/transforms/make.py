"""Writes what the published libraries make of generated pictures; see README.md.

    python make.py pinned   # OpenCV 4.8.1, Pillow 10.0.1 -> pinned.csv
    python make.py blur     # torchvision -> blur.csv
"""

import math
import sys

import numpy as np


def picture(kind, width, height, seed):
    """The same levels as `GeneratedPicture` in TransformExactnessTests.swift."""
    if kind == "noise":
        state, levels = seed, []
        for _ in range(width * height):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            levels.append(state >> 56)
        return np.array(levels, np.uint8).reshape(height, width)
    y, x = np.mgrid[0:height, 0:width]
    if kind == "ramp":
        return ((x * 7 + y * 3 + seed) % 256).astype(np.uint8)
    # A bright oval on black, as a radiograph with a dark border.
    across, down = (2 * x + 1 - width) ** 2 * 300 // width**2, (2 * y + 1 - height) ** 2 * 300 // height**2
    grain = (x * 31 + y * 17 + seed) % 11
    return np.clip(200 - across - down + grain, 0, 255).astype(np.uint8)


def checksum(levels):
    value = 0xCBF29CE484222325
    for level in np.ascontiguousarray(levels).tobytes():
        value = (value ^ level) * 0x100000001B3 % 2**64
    return f"{levels.shape[1]}x{levels.shape[0]}:{value:016x}"


def fit(cv2, image, side=256):
    height, width = image.shape
    if height >= width:
        new = (max(1, int(width * (side / height))), side)
    else:
        new = (side, max(1, int(height * (side / width))))
    small = cv2.resize(image, new, interpolation=cv2.INTER_AREA).reshape(new[1], new[0])
    right, below = side - new[0], side - new[1]
    return np.pad(small, ((below // 2, below - below // 2), (right // 2, right - right // 2)))


def box(cv2, image):
    # Intel's library, which OpenCV prefers, decides exact ties by other rounding than OpenCV's own code.
    cv2.ipp.setUseIPP(False)
    limit, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    cv2.ipp.setUseIPP(True)
    rows, columns = np.where(image > limit)
    if len(rows) == 0:
        return int(limit), 0, image.shape[0], 0, image.shape[1]
    return int(limit), rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def inverse(width, height, angle, right, down, scale):
    c, s = math.cos(math.radians(angle)) / scale, math.sin(math.radians(angle)) / scale
    x, y = width / 2, height / 2
    return [c, s, c * (-x - right) + s * (-y - down) + x, -s, c, -s * (-x - right) + c * (-y - down) + y]


def three(levels):
    from PIL import Image

    return Image.fromarray(np.stack([levels] * 3, -1))


def pinned():
    import cv2
    import PIL
    from PIL import Image, ImageEnhance

    assert (cv2.__version__, PIL.__version__) == ("4.8.1", "10.0.1"), (cv2.__version__, PIL.__version__)
    sizes = [(1, 1), (1, 7), (7, 1), (2, 2), (1, 300), (300, 1), (2, 5), (900, 9), (9, 900), (256, 256), (512, 512)]
    sizes += [(768, 768), (512, 256), (256, 512), (49, 49), (103, 103), (237, 237), (498, 498), (390, 320), (255, 257)]
    sizes += [(511, 513), (100, 256), (128, 64), (518, 632), (200, 180), (37, 211)]
    kinds = ["noise", "ramp", "oval"]
    for index, (width, height) in enumerate(sizes):
        for kind in kinds if width * height < 4_000 else [kinds[index % 3]]:
            image = picture(kind, width, height, index)
            place = (kind, width, height, index)
            side = 256 if index % 3 or width == height else 60
            yield "fit", *place, side, checksum(fit(cv2, image, side))
            yield "otsu", *place, "", ":".join(map(str, box(cv2, image)))
            fitted = fit(cv2, image)
            _, top, bottom, left, right = box(cv2, fitted)
            new = 224 if index % 5 == 0 else 70
            seen = three(fitted[top:bottom, left:right]).resize((new, new), Image.BILINEAR)
            yield "evaluation", *place, new, checksum(np.asarray(seen)[..., 0])
            if width * height > 40_000:
                continue
            for new in [(57, 91), (width, 30), (80, height)]:
                small = three(image).resize(new, Image.BILINEAR)
                yield "bilinear", *place, f"{new[0]} {new[1]}", checksum(np.asarray(small)[..., 0])
            for factor in [0.8, 0.97, 1.2]:
                light = ImageEnhance.Brightness(three(image)).enhance(factor)
                yield "brightness", *place, factor, checksum(np.asarray(light)[..., 0])
                strong = ImageEnhance.Contrast(three(image)).enhance(factor)
                yield "contrast", *place, factor, checksum(np.asarray(strong)[..., 0])
            for values in [(10, 3, -2, 0.9), (-9.25, -14, 14, 0.8), (0.01, 0, 1, 1.1)]:
                matrix = inverse(width, height, *values)
                moved = three(image).transform((width, height), Image.AFFINE, matrix, Image.NEAREST, fillcolor=0)
                yield "affine", *place, " ".join(map(str, values)), checksum(np.asarray(moved)[..., 0])


def blur():
    from torchvision.transforms import functional

    for index, (width, height) in enumerate([(4, 4), (5, 9), (16, 7), (17, 33), (40, 31)]):
        for kind in ["noise", "ramp", "oval"]:
            for sigma in [0.1, 0.13, 0.3, 1.0, 1.37, 2.0]:
                image = three(picture(kind, width, height, index))
                soft = functional.gaussian_blur(image, [7, 7], [sigma, sigma])
                yield "blur", kind, width, height, index, sigma, np.asarray(soft)[..., 0].tobytes().hex()


if __name__ == "__main__":
    name = sys.argv[1]
    with open(f"{name}.csv", "w") as out:
        out.write("operation,kind,width,height,seed,parameters,result\n")
        for row in {"pinned": pinned, "blur": blur}[name]():
            out.write(",".join(map(str, row)) + "\n")

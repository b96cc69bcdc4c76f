"""The pixels of an image: upright, in RGB, and no larger than a model needs.

Whatever a file holds, it becomes a `Picture`, or `Unreadable`, or a `MemoryError`, of which the analyser dies.
"""

import logging
import mmap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from rayhound.domain import Header, Limits, RayhoundError, Unreadable
from rayhound.reading.header import check_size, inspect

# Pillow only warns above its limit, and refuses above twice that. We refuse at our own limit, before decoding.
Image.MAX_IMAGE_PIXELS = None
# What it logs of hostile bytes, our error says.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

DECODERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": jpeg_factory,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}
# Bytes that decoding takes for each pixel, measured in the worst mode of each format: for JPEG progressive CMYK, for
# TIFF 16-bit RGBA in one compressed strip. Beside that, libwebp and libtiff keep the file's own bytes.
APPETITE = {"JPEG": 8, "PNG": 4, "WEBP": 17, "GIF": 2, "BMP": 4, "TIFF": 12}
KEPT_WHOLE = ("WEBP", "TIFF")
SPARE = 32_000_000
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {UPRIGHT[value] for value in (5, 6, 7, 8)}
BLOCK = 1024
Block = tuple[int, int, int, int]
ToRGB = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image. Width and height in pixels, upright; `mode` is Pillow's word for what the file holds.

    `pixels` are RGB and upright; each side is the original's, or at least twice what was asked for.
    """

    format: str
    mode: str
    width: int
    height: int
    pixels: Image.Image


def read(path: Path, side: int, limits: Limits) -> Picture:
    """Decode an image's first frame for a model that looks at squares of `side` pixels.

    Raises `NotAnImage` and `Unreadable` with a reason that a person understands, and `MemoryError`.
    """
    header = inspect(path, limits)
    reserve(path, header)
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _decode(file, header, side, limits)
        except (MemoryError, RayhoundError):
            raise
        except Exception as e:  # On hostile bytes Pillow raises almost anything, from KeyError to AssertionError.
            raise Unreadable(_reason(e), "open it in an image viewer and save it again") from e


def reserve(path: Path, header: Header) -> None:
    """Raise `MemoryError` unless there is memory to decode an image of this kind and size.

    The decoders written in C report a failed allocation as broken data, and the image would be blamed for it.
    """
    need = SPARE + APPETITE[header.format] * header.width * header.height
    if header.format in KEPT_WHOLE:
        need += path.stat().st_size
    try:
        mmap.mmap(-1, need, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as e:
        raise MemoryError(f"{need:,} bytes for {header.width} × {header.height} pixels of {header.format}") from e


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, EOFError) or "truncated" in text.lower():
        return "the image is cut off: its data ends before its last pixel"
    return f"the image's data is broken: {text or type(error).__name__}"


def _decode(file: BinaryIO, header: Header, side: int, limits: Limits) -> Picture:
    image = DECODERS[header.format](file)
    check_size(header.format, image.size, limits)
    width, height = image.size
    mode = image.mode
    # JPEG alone can be decoded at a fraction of its size; twice the side keeps the result within 0.2 grey levels.
    scaled = image.draft(None, (2 * side, 2 * side))
    image.load()
    turn = UPRIGHT.get(_orientation(image))
    pixels = _shrunk(image, scaled[1][2:] if scaled else image.size, side)
    if turn is None:
        return Picture(header.format, mode, width, height, pixels)
    if turn in SIDEWAYS:
        width, height = height, width
    return Picture(header.format, mode, width, height, pixels.transpose(turn))


def _orientation(image: ImageFile.ImageFile) -> Any:
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # Broken EXIF beside sound pixels is common, and no reason to refuse them.
        return None


def _shrunk(image: Image.Image, extent: tuple[float, float], side: int) -> Image.Image:
    """The image in RGB, averaged down while both its sides stay twice `side`, block by block: never whole in RGB.

    `extent` is the part of it that the original fills: the last column and row of a scaled image may stand for less.
    """
    factor = max(1, image.width // (2 * side)), max(1, image.height // (2 * side))
    to_rgb = _to_rgb(image)
    if factor == (1, 1):
        small = to_rgb(image)
    else:
        small = Image.new("RGB", (-(-image.width // factor[0]), -(-image.height // factor[1])))
        for box in _blocks(image.size, factor):
            small.paste(to_rgb(image.crop(box)).reduce(factor), (box[0] // factor[0], box[1] // factor[1]))
    width, height = extent[0] / factor[0], extent[1] / factor[1]
    if (width, height) == small.size:
        return small
    whole = max(1, round(width)), max(1, round(height))
    return small.resize(whole, Image.Resampling.BILINEAR, box=(0, 0, width, height))


def _blocks(size: tuple[int, int], factor: tuple[int, int] = (1, 1)) -> Iterator[Block]:
    columns, rows = (f * max(1, BLOCK // f) for f in factor)
    for top in range(0, size[1], rows):
        for left in range(0, size[0], columns):
            yield left, top, min(left + columns, size[0]), min(top + rows, size[1])


def _to_rgb(image: Image.Image) -> ToRGB:
    """How blocks of this image become RGB."""
    if image.mode.startswith("I;16"):
        return _levels(0, 65535)
    if image.mode in ("I", "F"):
        # 32-bit pixels carry no agreed black and white (0 to 1 here, Hounsfield units there): their own range is used.
        return _levels(*_range(image))
    if image.has_transparency_data:
        return _on_white
    return lambda block: block.convert("RGB")


def _levels(black: float, white: float) -> ToRGB:
    span = max(white - black, 1e-30)

    def to_rgb(block: Image.Image) -> Image.Image:
        values = np.nan_to_num(np.asarray(block, np.float32), nan=black, posinf=white, neginf=black)
        return Image.fromarray(np.uint8((values - black) * (255 / span) + 0.5)).convert("RGB")

    return to_rgb


def _range(image: Image.Image) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for box in _blocks(image.size):
        values = np.asarray(image.crop(box), np.float32)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, finite.min()), max(high, finite.max())
    return (float(low), float(high)) if low <= high else (0.0, 1.0)


def _on_white(block: Image.Image) -> Image.Image:
    block = block.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", block.size, "white"), block).convert("RGB")

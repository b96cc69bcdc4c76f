"""What a decoded image looks like, whatever its mode and orientation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rayhound.domain import Limits
from rayhound.reading import read
from tests import pictures

LIMITS = Limits()
BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
QUARTERS = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
COLOURS = (pictures.RED, pictures.GREEN, pictures.BLUE, pictures.GREY)


def quarters(image: Image.Image) -> list[tuple[int, ...]]:
    pixels = np.asarray(image)
    return [tuple(map(int, pixels[int(y * image.height), int(x * image.width)])) for x, y in QUARTERS]


def is_close(got: list[tuple[int, ...]], wanted: list[tuple[int, ...]], by: int) -> bool:
    return int(np.abs(np.subtract(got, wanted)).max()) <= by


def expected(mode: str) -> list[tuple[int, ...]]:
    """What the scene's quarters look like after they were stored in a mode."""
    if mode in ("RGB", "RGBA", "P", "CMYK"):
        return list(COLOURS)
    grey = [round(0.299 * red + 0.587 * green + 0.114 * blue) for red, green, blue in COLOURS]
    if mode == "1":
        grey = [255 * (value > 100) for value in grey]
    if mode in ("I", "F"):
        grey = [round((value - min(grey)) / (max(grey) - min(grey)) * 255) for value in grey]
    return [(value,) * 3 for value in grey]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "image"


@pytest.mark.parametrize("size", [(160, 120), (2400, 1800)])
@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name, modes in pictures.FORMATS.items() for mode in modes])
def test_every_format_and_mode_becomes_the_same_rgb(name: str, mode: str, size: tuple[int, int], file: Path) -> None:
    original = pictures.in_mode(pictures.scene(size), mode)
    file.write_bytes(pictures.encoded(original, name))
    picture = read(file, 80, LIMITS)
    assert (picture.format, picture.width, picture.height) == (name, *size)
    assert picture.pixels.mode == "RGB"
    assert is_close(quarters(picture.pixels), expected(mode), by=6)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(name: str, orientation: int, file: Path) -> None:
    back = [
        None,
        None,
        "FLIP_LEFT_RIGHT",
        "ROTATE_180",
        "FLIP_TOP_BOTTOM",
        "TRANSPOSE",
        "ROTATE_90",
        "TRANSVERSE",
        "ROTATE_270",
    ]
    upright = pictures.scene((1600, 1200))
    turn = back[orientation]
    stored = upright.transpose(Image.Transpose[turn]) if turn else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    file.write_bytes(pictures.encoded(stored, name, exif=exif))
    picture = read(file, 80, LIMITS)
    assert (picture.width, picture.height) == (1600, 1200)
    assert is_close(quarters(picture.pixels), list(COLOURS), by=4)


def test_transparency_is_laid_on_white(file: Path) -> None:
    clear = pictures.scene()
    clear.putalpha(0)
    palette = pictures.scene().quantize(4)
    for content in (
        pictures.encoded(clear, "PNG"),
        pictures.encoded(clear, "WEBP", exact=True),
        pictures.encoded(clear.convert("LA"), "PNG"),
        pictures.encoded(palette, "PNG", transparency=bytes(4)),
    ):
        file.write_bytes(content)
        assert set(quarters(read(file, 80, LIMITS).pixels)) == {(255, 255, 255)}


def test_one_transparent_colour_of_an_rgb_png_becomes_white(file: Path) -> None:
    file.write_bytes(pictures.encoded(pictures.scene(), "PNG", transparency=pictures.RED))
    got = quarters(read(file, 80, LIMITS).pixels)
    assert got == [(255, 255, 255), *COLOURS[1:]]


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped(file: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(100, 0)
    for name in ("PNG", "TIFF"):
        file.write_bytes(pictures.encoded(Image.fromarray(ramp), name))
        row = np.asarray(read(file, 300, LIMITS).pixels)[50, :, 0]
        assert np.abs(row.astype(int) - np.arange(256)).max() <= 1


def test_numbers_that_are_none_do_not_spoil_a_float_image(file: Path) -> None:
    values = np.linspace(-3.5, 12.5, 256, dtype=np.float32)[None].repeat(100, 0)
    values[:10] = np.nan
    values[10:20] = np.inf
    file.write_bytes(pictures.encoded(Image.fromarray(values), "TIFF"))
    pixels = np.asarray(read(file, 300, LIMITS).pixels)
    assert pixels[50, 0, 0] == 0
    assert pixels[50, -1, 0] == 255
    assert pixels[0].max() == 0
    assert pixels[15].min() == 255


def test_a_float_image_of_nothing_but_nan_is_black(file: Path) -> None:
    file.write_bytes(pictures.encoded(Image.fromarray(np.full((20, 20), np.nan, np.float32)), "TIFF"))
    assert quarters(read(file, 80, LIMITS).pixels) == [(0, 0, 0)] * 4


def test_the_first_frame_of_an_animation_counts(file: Path) -> None:
    first, second = pictures.scene(), Image.new("RGB", (160, 120), "white")
    for name in ("GIF", "WEBP", "TIFF"):
        file.write_bytes(pictures.encoded(first, name, save_all=True, append_images=[second]))
        assert is_close(quarters(read(file, 80, LIMITS).pixels), list(COLOURS), by=6)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF"])
def test_a_large_image_is_made_small_without_changing_what_a_model_sees(name: str, file: Path) -> None:
    rng = np.random.default_rng(7)
    noise = Image.fromarray(rng.integers(0, 256, (45, 60, 3), np.uint8)).resize((3000, 2250), Image.Resampling.BICUBIC)
    file.write_bytes(pictures.encoded(noise, name))
    picture = read(file, 160, LIMITS)
    assert (picture.width, picture.height) == (3000, 2250)
    assert 320 <= min(picture.pixels.size) <= max(picture.pixels.size) < 640
    whole = np.asarray(Image.open(file).resize((160, 160), Image.Resampling.BILINEAR), int)
    ours = np.asarray(picture.pixels.resize((160, 160), Image.Resampling.BILINEAR), int)
    assert np.abs(whole - ours).mean() < 1.5


@pytest.mark.parametrize("size", [(30_000, 3), (3, 30_000), (1, 1)])
def test_odd_shapes_are_read(size: tuple[int, int], file: Path) -> None:
    file.write_bytes(pictures.encoded(Image.new("RGB", size, pictures.RED), "PNG"))
    picture = read(file, 160, LIMITS)
    assert (picture.width, picture.height) == size
    assert quarters(picture.pixels) == [pictures.RED] * 4

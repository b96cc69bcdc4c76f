"""What an image's header says, and what is refused at the door."""

import resource
import struct
import warnings
from pathlib import Path

import pytest

from rayhound.domain import Limits, NotAnImage, RayhoundError, Unreadable
from rayhound.reading import inspect
from tests import pictures

LIMITS = Limits()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.mark.parametrize("kind", pictures.every_kind(), ids=lambda kind: f"{kind[0]}-{kind[1]}")
def test_format_and_size_are_found_from_the_bytes(kind: tuple[str, str, bytes], tmp_path: Path) -> None:
    name, _, content = kind
    path = tmp_path / "holiday.pdf"
    path.write_bytes(content)
    header = inspect(path, LIMITS)
    assert (header.format, header.width, header.height) == (name, 160, 120)
    assert header.media_type == f"image/{name.lower()}"
    assert header.suffix == ("jpg" if name == "JPEG" else name.lower())


@pytest.mark.parametrize("options", [{"lossless": False}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}])
def test_each_kind_of_webp_tells_its_size(options: dict[str, object], file: Path) -> None:
    file.write_bytes(pictures.encoded(pictures.scene((301, 47)), "WEBP", **options))
    assert inspect(file, LIMITS).width == 301
    assert inspect(file, LIMITS).height == 47


def test_a_tiff_may_be_big_or_of_the_other_endianness(file: Path) -> None:
    file.write_bytes(pictures.encoded(pictures.scene(), "TIFF", big_tiff=True))
    assert inspect(file, LIMITS).width == 160
    entries = struct.pack(">HHIHH", 256, 3, 1, 31, 0) + struct.pack(">HHII", 257, 4, 1, 17)
    file.write_bytes(b"MM\0*" + struct.pack(">IH", 8, 2) + entries)
    assert (inspect(file, LIMITS).width, inspect(file, LIMITS).height) == (31, 17)


def test_an_mpo_of_a_stereo_camera_is_a_jpeg(file: Path) -> None:
    file.write_bytes(pictures.encoded(pictures.scene(), "MPO", save_all=True, append_images=[pictures.scene()]))
    assert inspect(file, LIMITS).format == "JPEG"


@pytest.mark.parametrize(("word", "content"), pictures.strangers().items())
def test_what_is_no_image_is_named_and_refused(word: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dog.jpg"
    path.write_bytes(content)
    with pytest.raises(NotAnImage, match=word) as refused:
        inspect(path, LIMITS)
    assert refused.value.hint


@pytest.mark.parametrize(
    "start",
    [b"\x08\0\x05\0CS\x0a\0ISO_IR 100", b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100", b"\x02\0\x10\0UI\x16\x001.2.840.10008"],
)
def test_dicom_without_its_preamble_is_still_called_dicom(start: bytes, file: Path) -> None:
    file.write_bytes(start + bytes(200))
    with pytest.raises(NotAnImage, match="DICOM"):
        inspect(file, LIMITS)


def test_more_pixels_than_the_limit_are_refused_with_both_numbers_and_never_a_warning(file: Path) -> None:
    with warnings.catch_warnings(record=True) as warned:
        for content in (pictures.png_of(60_000, 60_000), pictures.jpeg_of(60_000, 60_000)):
            file.write_bytes(content)
            with pytest.raises(Unreadable, match="60000 × 60000 = 3,600,000,000 pixels; 100,000,000"):
                inspect(file, LIMITS)
    assert not warned


def test_the_limit_itself_is_allowed(file: Path) -> None:
    file.write_bytes(pictures.png_of(10_000, 10_000))
    assert inspect(file, LIMITS).width == 10_000
    file.write_bytes(pictures.png_of(10_000, 10_001))
    with pytest.raises(Unreadable):
        inspect(file, LIMITS)


def test_a_format_that_costs_more_memory_has_a_lower_limit(file: Path) -> None:
    file.write_bytes(b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (8000 - 1).to_bytes(3, "little") * 2)
    with pytest.raises(Unreadable, match="40,000,000 is the most for WEBP"):
        inspect(file, LIMITS)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_an_image_without_pixels_is_refused(size: tuple[int, int], file: Path) -> None:
    for content in (pictures.png_of(*size), pictures.jpeg_of(*size)):
        file.write_bytes(content)
        with pytest.raises(Unreadable, match=f"{size[0]} × {size[1]}"):
            inspect(file, LIMITS)


def test_a_jpeg_of_twelve_bits_is_refused_with_a_way_out(file: Path) -> None:
    file.write_bytes(pictures.jpeg_of(160, 120, bits=12))
    with pytest.raises(Unreadable, match="12 bits") as refused:
        inspect(file, LIMITS)
    assert "16-bit PNG" in refused.value.hint


@pytest.mark.parametrize("kind", pictures.every_kind(), ids=lambda kind: f"{kind[0]}-{kind[1]}")
def test_a_file_that_ends_within_its_header_is_refused(kind: tuple[str, str, bytes], file: Path) -> None:
    for length in range(10):
        file.write_bytes(kind[2][:length])
        with pytest.raises((NotAnImage, Unreadable)):
            inspect(file, LIMITS)


def test_a_damaged_png_header_is_refused(file: Path) -> None:
    content = bytearray(pictures.png_of(10, 10))
    content[19] = 11
    file.write_bytes(content)
    with pytest.raises(Unreadable, match="IHDR"):
        inspect(file, LIMITS)


def test_giant_headers_are_read_within_a_few_megabytes(file: Path) -> None:
    with file.open("wb") as jpeg:
        jpeg.write(b"\xff\xd8")
        for _ in range(3000):
            jpeg.write(b"\xff\xe1\xff\xff")
            jpeg.seek(65_533, 1)
        jpeg.write(pictures.encoded(pictures.scene(), "JPEG")[2:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert inspect(file, LIMITS).width == 160
    with file.open("wb") as tiff:
        tiff.write(b"II*\0" + struct.pack("<I", 200_000_000))
        tiff.seek(200_000_000)
        tiff.write(struct.pack("<HHHIIHHII", 2, 256, 4, 1, 31, 257, 4, 1, 17))
    assert inspect(file, LIMITS).height == 17
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000  # kilobytes


def test_endless_tiny_segments_are_given_up(file: Path) -> None:
    file.write_bytes(b"\xff\xd8" + b"\xff\xe1\x00\x02" * 100_000)
    with pytest.raises(Unreadable, match="no frame in its first"):
        inspect(file, LIMITS)


def test_a_tiff_that_points_at_nothing_is_refused(file: Path) -> None:
    for content in (
        b"II*\0\xff\xff\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        b"II*\0\x08\0\0\0\xff\xff" + bytes(30),
        b"II*\0\x08\0\0\0\0\0",
    ):
        file.write_bytes(content)
        with pytest.raises(RayhoundError, match="TIFF header is broken"):
            inspect(file, LIMITS)

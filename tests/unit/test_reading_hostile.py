"""Whatever a file holds, reading it ends in a picture or in an error of ours."""

import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rayhound.domain import Limits, NotAnImage, RayhoundError, Unreadable
from rayhound.reading import inspect, read
from tests import pictures

LIMITS = Limits()
KINDS = pictures.every_kind()
PHOTOS = pictures.every_kind(Image.effect_noise((160, 120), 80).convert("RGB"))
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(path: Path, content: bytes) -> RayhoundError | None:
    """How reading these bytes ends: no error, or one of ours; any other fails the test."""
    path.write_bytes(content)
    try:
        inspect(path, LIMITS)
        picture = read(path, 32, LIMITS)
    except (NotAnImage, Unreadable) as e:
        return e
    assert picture.pixels.mode == "RGB"
    return None


@pytest.mark.parametrize("kind", PHOTOS, ids=lambda kind: f"{kind[0]}-{kind[1]}")
def test_a_file_cut_off_at_a_hundred_places_is_refused(kind: tuple[str, str, bytes], tmp_path: Path) -> None:
    name, _, content = kind
    # The last bytes of a file are often padding or a terminator, which a decoder rightly does without.
    ends = {int(len(content) * part / 100 * 0.9) for part in range(100)}
    read_all_the_same = [end for end in ends if outcome(tmp_path / "image", content[:end]) is None]
    assert read_all_the_same == [], f"{name}: {len(content)} bytes"


def test_a_photo_cut_off_is_refused_in_words_that_a_person_understands(tmp_path: Path) -> None:
    noise = Image.effect_noise((600, 400), 80).convert("RGB")
    for name in ("JPEG", "PNG", "GIF", "BMP"):
        content = pictures.encoded(noise, name)
        refused = outcome(tmp_path / "image", content[: len(content) // 2])
        assert refused is not None
        assert "cut off" in refused.detail


def test_a_bomb_of_a_few_kilobytes_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    rows = zlib.compress(bytes(1000)) * 4
    refused = outcome(tmp_path / "image", pictures.png_of(30_000, 30_000, rows=rows))
    assert refused is not None
    assert "900,000,000 pixels" in refused.detail


def test_a_second_header_does_not_get_past_the_pixel_limit(tmp_path: Path) -> None:
    again = pictures.png_chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0))
    content = pictures.png_of(10, 10, before=again)
    frames = pictures.jpeg_of(160, 120)
    at = frames.index(b"\xff\xc0")
    length = 2 + struct.unpack(">H", frames[at + 2 : at + 4])[0]
    second = bytearray(frames[at : at + length])
    second[5:9] = struct.pack(">HH", 50_000, 50_000)
    for hostile in (content, frames[: at + length] + bytes(second) + frames[at + length :]):
        refused = outcome(tmp_path / "image", hostile)
        assert refused is not None
        assert "2,500,000,000 pixels" in refused.detail


def test_a_gif_frame_larger_than_its_screen_does_not_get_past_the_pixel_limit(tmp_path: Path) -> None:
    content = bytearray(pictures.encoded(pictures.scene().quantize(4), "GIF"))
    at = content.index(b"\x2c", 13)
    content[at + 5 : at + 9] = struct.pack("<HH", 65_000, 65_000)
    refused = outcome(tmp_path / "image", bytes(content))
    assert refused is not None
    assert "4,225,000,000 pixels" in refused.detail


def test_a_profile_that_unpacks_without_end_is_refused_or_ignored(tmp_path: Path) -> None:
    profile = pictures.png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(50_000_000)))
    outcome(tmp_path / "image", pictures.png_of(1, 1, before=profile, rows=b"\0\0"))


def test_broken_exif_is_no_reason_to_refuse_an_image(tmp_path: Path) -> None:
    content = pictures.encoded(pictures.scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fgarbage")
    assert outcome(tmp_path / "image", content) is None


@QUICK
@given(content=st.binary(max_size=400))
def test_random_bytes_end_in_an_error_of_ours(content: bytes, tmp_path: Path) -> None:
    outcome(tmp_path / "image", content)


@QUICK
@given(start=st.sampled_from(KINDS), tail=st.binary(max_size=300), keep=st.integers(2, 60))
def test_random_bytes_behind_a_true_beginning_end_in_an_error_of_ours(
    start: tuple[str, str, bytes], tail: bytes, keep: int, tmp_path: Path
) -> None:
    outcome(tmp_path / "image", start[2][:keep] + tail)


@settings(QUICK, max_examples=400)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32), flips=st.integers(1, 12))
def test_flipped_bytes_end_in_a_picture_or_an_error_of_ours(
    kind: tuple[str, str, bytes], seed: int, flips: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    content = bytearray(kind[2])
    for _ in range(flips):
        # Half of them in the header, where it hurts.
        at = chance.randrange(min(len(content), 200) if chance.random() < 0.5 else len(content))
        content[at] = chance.randrange(256)
    outcome(tmp_path / "image", bytes(content))

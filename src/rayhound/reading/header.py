"""What an image's header says of its format and size, found from the bytes and never from the name.

No decoder is asked: six small parsers read some bytes, whatever the size of the file, and neither warn nor allocate.
A decoder that finds another size later is checked again.
"""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rayhound.domain import Header, Limits, Unreadable
from rayhound.reading import strangers

# Most decoders take four bytes a pixel, progressive JPEG eight, and 100 megapixels fit a gigabyte. Not so here:
# WebP takes 17, and the file's own size (libwebp's two canvases, Pillow's copy and its image are four each).
# TIFF takes 12, and the file's own size: 16-bit RGBA in one compressed strip is eight bytes a pixel, the image four.
PIXELS = {"WEBP": 40_000_000, "TIFF": 50_000_000}

SEGMENTS = 4096
ENTRIES = 4096
Size = tuple[int, int]


class Format(NamedTuple):
    """A format that Rayhound reads, and how its header tells the width and height."""

    name: str
    media_type: str
    suffix: str
    size: Callable[[BinaryIO], Size]


def inspect(path: Path, limits: Limits) -> Header:
    """Tell an image's format and size from its first bytes, without decoding it.

    Raises `NotAnImage` for anything but JPEG, PNG, WebP, GIF, BMP and TIFF, and `Unreadable` for a broken header, an
    image without pixels, and one of more pixels than `limits.pixels` (or than its format can be read with).
    """
    with path.open("rb") as file:
        head = file.read(strangers.HEAD)
        found = _format(head)
        if found is None or strangers.is_dicom(head):  # a DICOM file's preamble may make it a TIFF as well
            raise strangers.refusal(head)
        file.seek(0)
        try:
            width, height = found.size(file)
        except struct.error as e:
            raise _broken(found.name, "it ends too early") from e
    check_size(found.name, (width, height), limits)
    return Header(found.name, found.media_type, found.suffix, width, height)


def check_size(name: str, size: Size, limits: Limits) -> None:
    """Refuse (`Unreadable`) an image of a format that has no pixels, or more than may be decoded."""
    width, height = size
    if width < 1 or height < 1:
        raise _broken(name, f"it says that the image is {width} × {height} pixels")
    most = min(limits.pixels, PIXELS.get(name, limits.pixels))
    if width * height > most:
        raise Unreadable(
            f"the image has {width} × {height} = {width * height:,} pixels; {most:,} is the most for {name}",
            "send a smaller version of it",
        )


def _format(head: bytes) -> Format | None:
    if head.startswith(b"\xff\xd8\xff"):
        return Format("JPEG", "image/jpeg", "jpg", _jpeg)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format("PNG", "image/png", "png", _png)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format("WEBP", "image/webp", "webp", _webp)
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return Format("GIF", "image/gif", "gif", _gif)
    if head[:2] == b"BM" and len(head) > 14 and head[14] in (12, 40, 52, 56, 64, 108, 124):
        return Format("BMP", "image/bmp", "bmp", _bmp)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return Format("TIFF", "image/tiff", "tiff", _tiff)
    return None


def _broken(name: str, why: str) -> Unreadable:
    return Unreadable(f"the {name} header is broken: {why}", "open it in an image viewer and save it again")


def _fields(layout: str, file: BinaryIO) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _jpeg(file: BinaryIO) -> Size:
    """The frame header (ITU-T T.81, B.2.2), behind any number of other segments, up to a bound."""
    file.seek(2)
    for _ in range(SEGMENTS):
        prefix, marker = _fields(">BB", file)
        if prefix != 0xFF:
            raise _broken("JPEG", "bytes that belong to no segment")
        if marker == 0xFF:  # B.1.1.2: any marker may be preceded by fill bytes
            file.seek(-1, 1)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            _, bits, height, width = _fields(">HBHH", file)
            if bits != 8:
                raise Unreadable(f"a JPEG with {bits} bits a sample, where 8 are read", "export it as a 16-bit PNG")
            return width, height
        elif marker in (0xD9, 0xDA):
            raise _broken("JPEG", "it has no frame")
        elif marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            (length,) = _fields(">H", file)
            file.seek(max(length, 2) - 2, 1)
    raise _broken("JPEG", f"no frame in its first {SEGMENTS} segments")


def _png(file: BinaryIO) -> Size:
    """The IHDR chunk (PNG, 11.2.1), which always comes first."""
    file.seek(8)
    chunk = file.read(25)
    length, name, width, height = struct.unpack(">I4sII", chunk[:16])
    (checksum,) = struct.unpack(">I", chunk[21:])
    if (length, name) != (13, b"IHDR") or zlib.crc32(chunk[4:21]) != checksum:
        raise _broken("PNG", "its first chunk is not a sound IHDR")
    return width, height


def _webp(file: BinaryIO) -> Size:
    """The first chunk (RFC 9649, 2.5 to 2.7): lossy (RFC 6386, 9.1), lossless (RFC 9649, 3.4) or extended."""
    file.seek(12)
    name, data = file.read(4), file.read(14)[4:]
    if name == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and data[:1] == b"\x2f":
        (bits,) = struct.unpack("<I", data[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8X" and len(data) == 10:
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    raise _broken("WEBP", "its first chunk is not a sound VP8, VP8L or VP8X")


def _gif(file: BinaryIO) -> Size:
    """The logical screen descriptor (GIF89a, 18)."""
    file.seek(6)
    width, height = _fields("<HH", file)
    return width, height


def _bmp(file: BinaryIO) -> Size:
    """BITMAPCOREHEADER, or BITMAPINFOHEADER and its successors, where a negative height means top-down."""
    file.seek(14)
    (length,) = _fields("<I", file)
    width, height = _fields("<HH" if length == 12 else "<ii", file)
    return width, abs(height)


def _tiff(file: BinaryIO) -> Size:
    """ImageWidth and ImageLength in the first directory, wherever it lies (TIFF 6.0, section 2; BigTIFF)."""
    order = "<" if file.read(2) == b"II" else ">"
    big = _fields(order + "H", file)[0] == 43
    if big:
        file.seek(8)
    (offset,) = _fields(order + ("Q" if big else "I"), file)
    if offset > os.fstat(file.fileno()).st_size:
        raise _broken("TIFF", "its directory would lie behind the end of the file")
    file.seek(offset)
    (count,) = _fields(order + ("Q" if big else "H"), file)
    sizes: dict[int, int] = {}
    for _ in range(min(count, ENTRIES)):
        tag, kind, _, value = struct.unpack(order + ("HHQ8s" if big else "HHI4s"), file.read(20 if big else 12))
        layout = {3: "H", 4: "I", 16: "Q"}.get(kind)
        if tag in (256, 257) and layout and struct.calcsize(layout) <= len(value):
            (sizes[tag],) = struct.unpack_from(order + layout, value)
    if len(sizes) != 2:
        raise _broken("TIFF", "it has no width or no height")
    return sizes[256], sizes[257]

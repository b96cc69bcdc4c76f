"""Pictures that tests draw for themselves: sound ones in every format and mode, and hostile ones."""

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw

RED, GREEN, BLUE, GREY = (200, 30, 40), (30, 160, 60), (40, 60, 190), (120, 120, 120)
FORMATS = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "L", "P", "1", "RGBA", "LA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("P", "L"),
    "BMP": ("RGB", "L", "P", "1"),
    "TIFF": ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "I", "F"),
}


def scene(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Four quarters, each of another colour: red and green above, blue and grey below."""
    width, height = size
    image = Image.new("RGB", size, GREY)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width // 2 - 1, height // 2 - 1), RED)
    pen.rectangle((width // 2, 0, width, height // 2 - 1), GREEN)
    pen.rectangle((0, height // 2, width // 2 - 1, height), BLUE)
    return image


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """A picture in another of Pillow's modes; 16-bit grey fills its range, and 1 bit tells a grey above 100."""
    if mode == "I;16":
        wide = Image.eval(image.convert("L").convert("I"), lambda value: value * 257)
        return wide.convert("I;16")
    if mode in ("I", "F", "LA"):
        return image.convert("L").convert(mode)
    if mode == "1":
        return image.convert("L").point(lambda value: 255 * (value > 100), "1")
    if mode == "P":
        return image.quantize(8)
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """The bytes of a picture in a file format."""
    file = io.BytesIO()
    if format == "JPEG":
        options.setdefault("quality", 95)
    if format == "WEBP":
        options.setdefault("lossless", True)
    image.save(file, format, **options)
    return file.getvalue()


def every_kind(image: Image.Image | None = None) -> list[tuple[str, str, bytes]]:
    """A picture, the scene unless given, in each format and mode: format, mode, bytes."""
    image = image or scene()
    return [(name, mode, encoded(in_mode(image, mode), name)) for name, modes in FORMATS.items() for mode in modes]


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk with a sound checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, before: bytes = b"", rows: bytes = b"") -> bytes:
    """A grey PNG that claims a size, whatever its rows say; `before` are chunks in front of them."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + before + body


def jpeg_of(width: int, height: int, bits: int = 8) -> bytes:
    """The scene as a JPEG whose frame header claims another size or sample width."""
    content = bytearray(encoded(scene(), "JPEG"))
    at = content.index(b"\xff\xc0") + 4
    content[at : at + 5] = struct.pack(">BHH", bits, height, width)
    return bytes(content)


def tiff_of(width: int, height: int, bits: int, samples: int, photometric: int) -> bytes:
    """A TIFF whose pixels lie in one deflated strip, the way that costs a reader the most memory."""
    strip = zlib.compress(bytes(width * height * samples * bits // 8), 1)
    strip += b"\0" * (len(strip) % 2)
    tags = {256: width, 257: height, 259: 8, 262: photometric, 273: 8, 277: samples, 278: height, 279: len(strip)}
    wide = struct.pack(f"<{samples}H", *[bits] * samples)
    count = len(tags) + 1 + (samples == 4 and photometric == 2)
    after = 8 + len(strip) + 2 + 12 * count + 4
    entries = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()}
    inline = len(wide) <= 4
    entries[258] = struct.pack("<HHI", 258, 3, samples) + (wide.ljust(4, b"\0") if inline else struct.pack("<I", after))
    if samples == 4 and photometric == 2:
        entries[338] = struct.pack("<HHII", 338, 3, 1, 2)
    directory = struct.pack("<H", count) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8 + len(strip)) + strip + directory + wide


def strangers() -> dict[str, bytes]:
    """What people send that is no image of ours, by the word that a refusal must contain."""
    ftyp = b"\x00\x00\x00\x18ftyp"
    return {
        "empty": b"",
        "DICOM": bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00",
        "text": b"a dog, a cat, and a canary\n",
        "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
        "web page": b"\n<!DOCTYPE html><html><script>alert(1)</script></html>",
        "ZIP": b"PK\x03\x04" + bytes(60),
        "PDF": b"%PDF-1.7\n",
        "HEIC": ftyp + b"heic" + bytes(20),
        "AVIF": ftyp + b"avif" + bytes(20),
        "video": ftyp + b"isom" + bytes(20),
        "JPEG 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        "unknown": bytes(range(256)),
    }

"""What people send that is no image of ours, by its first bytes, so that a refusal can say what it is."""

from rayhound.domain import NotAnImage

HEAD = 1024
EXPORT = "export it as PNG or JPEG and send that"
FORMATS = "send a JPEG, PNG, WebP, GIF, BMP or TIFF image"

MAGIC = (
    (b"%PDF", "a PDF document", EXPORT),
    (b"PK\x03\x04", "a ZIP archive, or a document inside one", "unpack it and send the images"),
    (b"\x1f\x8b", "a gzip archive", "unpack it and send the images"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it and send the images"),
    (b"Rar!", "a RAR archive", "unpack it and send the images"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image", EXPORT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image", EXPORT),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image", EXPORT),
    (b"\xff\x0a", "a JPEG XL image", EXPORT),
    (b"8BPS", "a Photoshop document", EXPORT),
    (b"\x00\x00\x01\x00", "an icon", EXPORT),
    (b"\x1aE\xdf\xa3", "a video", "send a single picture of it"),
)
BRANDS = (
    (("heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"), "a HEIC image"),
    (("avif", "avis"), "an AVIF image"),
)
MARKUP = ((b"<svg", "an SVG drawing"), (b"<!doctype html", "a web page"), (b"<html", "a web page"), (b"<?xml", "XML"))
REPRESENTATIONS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split())


def refusal(head: bytes) -> NotAnImage:
    """Say what a file is that begins with these bytes and is no image that Rayhound reads."""
    if not head:
        return NotAnImage("the file is empty (0 bytes)", "look at whether it was copied whole, and send it again")
    if is_dicom(head):
        return NotAnImage("this is DICOM, which Rayhound does not read yet", EXPORT)
    for magic, what, hint in MAGIC:
        if head.startswith(magic):
            return NotAnImage(f"this is {what}, which Rayhound does not read", hint)
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1")
        what = next((what for brands, what in BRANDS if brand in brands), "a video")
        return NotAnImage(f"this is {what}, which Rayhound does not read", EXPORT)
    return NotAnImage(f"this is {_text(head)}, no image that Rayhound reads", FORMATS)


def is_dicom(head: bytes) -> bool:
    """Whether a file begins as DICOM does, with its preamble (PS3.10, 7.1) or, as old ones do, at once with a data set.

    Without the preamble, the first element is of group 0002 or 0008 in little endian, and then comes a value
    representation (PS3.5, 6.2) or, in the implicit syntax, a short length of 32 bits.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    return head[4:6] in REPRESENTATIONS or int.from_bytes(head[4:8], "little") < HEAD


def _text(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        return next((what for tag, what in MARKUP if tag in start), "text")
    printable = all(byte >= 32 or byte in b"\t\r\n\f\x1b" for byte in head)
    return "text" if printable else "a file of an unknown kind"

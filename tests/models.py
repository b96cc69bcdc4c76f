"""Model files for tests: the one that comes along, describing itself otherwise."""

from pathlib import Path

from rayhound.settings import DEFAULT_MODEL


def described(path: Path, **about: str) -> Path:
    """The model that comes along with other metadata: the later of two entries counts (ModelProto, field 14)."""
    content = DEFAULT_MODEL.read_bytes()
    for key, value in about.items():
        entry = b"".join(
            bytes([tag]) + _varint(len(text)) + text for tag, text in ((0x0A, key.encode()), (0x12, value.encode()))
        )
        content += b"\x72" + _varint(len(entry)) + entry
    path.write_bytes(content)
    return path


def _varint(value: int) -> bytes:
    """A number as protocol buffers write it."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)

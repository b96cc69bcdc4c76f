"""The photos that a benchmark sends: a folder's own, or drawn ones."""

import random
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter


def photos(given: Path | None, folder: Path) -> list[Path]:
    """The JPEGs of a folder; or, where none is given, twenty of 500×375, drawn into another."""
    found = sorted(given.glob("*.jpg")) if given else []
    for seed in range(0 if found else 20):
        found.append(folder / f"{seed}.jpg")
        found[-1].write_bytes(drawn(seed, (500, 375)))
    return found


def drawn(seed: int, size: tuple[int, int]) -> bytes:
    """Something like a photograph: soft shapes and grain, as JPEG."""
    chance = random.Random(seed)
    image = Image.effect_noise(size, 40).convert("RGB")
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, r = chance.randrange(size[0]), chance.randrange(size[1]), chance.randrange(size[1] // 4)
        pen.ellipse((x - r, y - r, x + r, y + r), tuple(chance.randbytes(3)))
    out = BytesIO()
    image.filter(ImageFilter.GaussianBlur(1)).save(out, "JPEG", quality=85)
    return out.getvalue()

"""The drawn pictures that every analyser must answer before its word is trusted."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from rayhound.domain import Findings

SMALL = (640, 480)
LARGE = (4000, 3000)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn JPEG and its size in pixels."""

    path: Path
    size: tuple[int, int]

    def is_answered_by(self, findings: Findings) -> bool:
        """Whether an analyser saw what was drawn; what it takes that for is the model's own matter."""
        return (findings.format, findings.width, findings.height) == ("JPEG", *self.size)


async def draw(folder: Path, with_large: bool) -> list[Drawing]:
    """Draw a small picture into a folder, and one of 12 megapixels where asked for."""
    sizes = [SMALL, LARGE] if with_large else [SMALL]
    return [await asyncio.to_thread(_draw, folder / f"{size[0]}.jpg", size) for size in sizes]


def _draw(path: Path, size: tuple[int, int]) -> Drawing:
    width, height = size
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.ellipse((width // 4, height // 4, width // 2, height // 2), fill=(180, 120, 60))
    pen.rectangle((width // 2, height // 2, width - 1, height - 1), fill=(40, 90, 160))
    image.save(path)
    return Drawing(path, size)

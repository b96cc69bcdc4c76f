"""An image at the pixel limit is read within the memory limit, and too little memory is never blamed on an image."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from rayhound.analysers.process import Analyser
from rayhound.domain import AnalyserDied, Findings, Limits
from tests import pictures
from tests.analysing import KILLING

WHOLE = (10_000, 10_000)
Make = Callable[[], bytes]
AT_THE_LIMIT: dict[str, Make] = {
    "JPEG": lambda: pictures.encoded(Image.new("RGB", WHOLE, pictures.RED), "JPEG"),
    "progressive CMYK JPEG": lambda: pictures.encoded(Image.new("CMYK", WHOLE, 90), "JPEG", progressive=True),
    "RGBA PNG": lambda: pictures.encoded(Image.new("RGBA", WHOLE, pictures.RED), "PNG", compress_level=1),
    "16-bit PNG": lambda: pictures.encoded(Image.new("I;16", WHOLE, 9000), "PNG", compress_level=1),
    "transparent palette PNG": lambda: pictures.encoded(
        Image.new("RGB", (16, 16), pictures.RED).quantize(4).resize(WHOLE), "PNG", compress_level=1, transparency=0
    ),
    "GIF": lambda: pictures.encoded(Image.new("L", WHOLE, 90), "GIF", transparency=90),
    "BMP": lambda: pictures.encoded(Image.new("RGB", WHOLE, pictures.RED), "BMP"),
    "RGBA WebP": lambda: pictures.encoded(Image.new("RGBA", (8000, 5000), (9, 9, 9, 99)), "WEBP", method=0, quality=0),
    "16-bit RGBA TIFF": lambda: pictures.tiff_of(8000, 6250, 16, 4, 2),
    "16-bit grey TIFF": lambda: pictures.tiff_of(8000, 6250, 16, 1, 1),
}


def answered(path: Path, limits: Limits) -> Findings:
    """What a single analyser says, or how it dies."""

    async def conversation() -> Findings:
        analyser = Analyser([sys.executable, KILLING, json.dumps(asdict(limits))], limits)
        try:
            await analyser.start()
            return await analyser.ask(path)
        finally:
            await analyser.end()

    return asyncio.run(conversation())


@pytest.mark.slow
@pytest.mark.parametrize("kind", AT_THE_LIMIT)
def test_an_image_at_the_pixel_limit_is_analysed_within_the_memory_limit(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(AT_THE_LIMIT[kind]())
    findings = answered(path, Limits())
    assert findings.width * findings.height in (100_000_000, 50_000_000, 40_000_000)


@pytest.mark.parametrize(
    "content",
    [
        pictures.encoded(Image.new("CMYK", (3000, 3000), 90), "JPEG", progressive=True),
        pictures.encoded(Image.new("RGBA", (3000, 3000), pictures.RED), "PNG"),
        pictures.encoded(Image.new("RGBA", (3000, 3000), pictures.RED), "WEBP", method=0, quality=0),
        pictures.tiff_of(3000, 3000, 16, 4, 2),
    ],
    ids=["JPEG", "PNG", "WEBP", "TIFF"],
)
def test_too_little_memory_is_a_death_and_never_the_image_s_fault(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(AnalyserDied, match=r"needed more than 0\.05 GB of memory"):
        answered(path, Limits(analysis_memory=50_000_000))

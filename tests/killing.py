"""An analyser whose classifier does to its process what a picture's colour asks for; a test's own entry point.

`python tests/killing.py LIMITS [all]`: with `all`, every picture kills, the drawn ones of the self-test too.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from PIL import Image

from rayhound.analyser import main
from rayhound.domain import Classification, Contains, Model

SLOW_SECONDS = 4.0
COLOURS = {
    "segfault": (255, 0, 0),
    "hang": (0, 255, 0),
    "burn": (0, 0, 255),
    "eat": (255, 255, 0),
    "raise": (255, 0, 255),
    "leave": (0, 255, 255),
    "print": (255, 255, 255),
    "murder": (128, 0, 0),
    "slow": (0, 128, 0),
}


class KillingClassifier:
    """Answers `neither` to every picture but those of one pure colour."""

    model = Model("killing", "1", "0" * 64)
    side = 32

    def classify(self, picture: Image.Image) -> Classification:
        """Do what the picture's colour asks for."""
        red, green, blue = picture.resize((1, 1)).tobytes()
        for deed, colour in COLOURS.items():
            if max(abs(a - b) for a, b in zip(colour, (red, green, blue), strict=True)) < 8:
                getattr(self, f"_{deed}")()
        return Classification(Contains.NEITHER, {"cat": 0.0, "dog": 0.0})

    def _segfault(self) -> None:
        ctypes.string_at(0)

    def _hang(self) -> None:
        time.sleep(3600)

    def _burn(self) -> None:
        while True:
            pass

    def _eat(self) -> None:
        eaten = []
        while True:
            eaten.append(bytearray(10_000_000))

    def _raise(self) -> None:
        raise ValueError("this picture does not please me")

    def _leave(self) -> None:
        os._exit(3)

    def _murder(self) -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)

    def _slow(self) -> None:
        time.sleep(SLOW_SECONDS)

    def _print(self) -> None:
        print("a library's chatter")
        os.write(1, b"and its C code's\n")


class AlwaysKillingClassifier(KillingClassifier):
    """Dies of every picture."""

    def classify(self, picture: Image.Image) -> Classification:
        """Die."""
        os._exit(3)


def picture(deed: str, folder: Path) -> Path:
    """A small picture that makes an analyser do this deed."""
    path = folder / f"{deed}.png"
    Image.new("RGB", (64, 48), COLOURS[deed]).save(path)
    return path


if __name__ == "__main__":
    main(AlwaysKillingClassifier if "all" in sys.argv else KillingClassifier, sys.argv[1])

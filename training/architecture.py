"""EfficientNet-Lite, as numbers: what network and export both build from (Apache-2.0, Google, 2020).

The convolutions are those of EfficientNet with ReLU6 for Swish and without squeeze and excitation; stem and head keep
their width. Padding is TensorFlow's SAME, which at stride 2 pads right and below first.
"""

import math
from dataclasses import dataclass

STEM, HEAD = 32, 1280
# Repeats, kernel, stride, expansion and channels of each stage, before scaling.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Width, depth and the side at which ImageNet was learnt.
SCALES = {"lite0": (1.0, 1.0, 224), "lite1": (1.0, 1.1, 240), "lite2": (1.1, 1.2, 260)}


@dataclass(frozen=True)
class Block:
    """One inverted bottleneck: widen by `expansion`, look around with `kernel`, narrow to `wide` channels."""

    kernel: int
    stride: int
    expansion: int
    narrow: int
    wide: int

    @property
    def skips(self) -> bool:
        """Whether what comes in is added to what goes out."""
        return self.stride == 1 and self.narrow == self.wide


def blocks(name: str) -> list[Block]:
    """The blocks of a network, from the stem to the head."""
    width, depth, _ = SCALES[name]
    made, channels = [], STEM
    for number, (repeats, kernel, stride, expansion, out) in enumerate(STAGES):
        is_fixed = number in (0, len(STAGES) - 1)
        out = _rounded(out * width)
        for repeat in range(repeats if is_fixed else math.ceil(depth * repeats)):
            made.append(Block(kernel, 1 if repeat else stride, expansion, channels, out))
            channels = out
    return made


def layers(name: str) -> list[str]:
    """What its layers are called, in the order in which a picture passes them."""
    made = ["stem"]
    for number, block in enumerate(blocks(name)):
        parts = ("widen", "look", "narrow") if block.expansion > 1 else ("look", "narrow")
        made += [f"blocks.{number}.{part}" for part in parts]
    return [*made, "head", "between", "labels"]


def padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """How many pixels SAME padding puts before and after a row of `side` pixels."""
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _rounded(channels: float) -> int:
    to_eight = max(8, int(channels + 4) // 8 * 8)
    return to_eight + 8 if to_eight < 0.9 * channels else to_eight

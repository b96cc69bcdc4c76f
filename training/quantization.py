"""Eight bits instead of thirty-two: a larger network in the same time, on processors of the last years.

Weights keep seven bits: on those without VNNI, sums of full eight-bit products would overflow. The first convolutions
stay exact: that takes a third off what rounding does to the logits, and no time. So does the last layer, whose logits
would have 256 steps.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

EIGHT_BITS = ("Conv", "Add", "Clip", "Gemm")
EXACT = 3  # convolutions, from the first
EXAMPLES = 256


class Examples(CalibrationDataReader):
    """Images that show how large the values inside the network become."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        """Squares, N × side × side × 3, handed out one by one."""
        self._left = iter(images[:EXAMPLES])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next image, or nothing when all were seen."""
        image = next(self._left, None)
        return None if image is None else {"image": image[None]}


def quantize(path: Path, examples: NDArray[np.uint8], to: Path) -> None:
    """Write the same model in eight bits, its ranges those of the examples."""
    quantize_static(
        str(path),
        str(to),
        Examples(examples),
        nodes_to_exclude=_exact(path),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(EIGHT_BITS),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    # The tool adds a note of its own to the metadata.
    made = onnx.load(to)
    onnx.helper.set_model_props(made, {entry.key: entry.value for entry in onnx.load(path).metadata_props})
    to.write_bytes(made.SerializeToString())


def _exact(path: Path) -> list[str]:
    """The nodes that stay exact: the first convolutions, with what bends their values, and the last layer."""
    names = [node.name for node in onnx.load(path).graph.node if node.op_type in EIGHT_BITS]
    convolutions = [name for name in names if name.startswith("conv")]
    return [*names[: names.index(convolutions[EXACT])], names[-1]]

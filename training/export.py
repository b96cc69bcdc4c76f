"""The ONNX file: the network with its norms folded in, scaling and calibration inside, and what it says of itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.architecture import blocks, padding

OPSET = 13
IR_VERSION = 8  # ONNX Runtime 1.20 reads it
Weights = Mapping[str, NDArray[np.float32]]


class Graph:
    """An ONNX graph as it grows: each step takes a value's name and returns the name of the next."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.float32] | np.float32 | np.uint8) -> str:
        """A number or an array that the file holds."""
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], **attributes: object) -> str:
        """One operation, of ONNX's own name."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def convolution(self, value: str, weight: NDArray[np.float32], bias: NDArray[np.float32], **shape: int) -> str:
        """A convolution with SAME padding; `side` is that of what comes in, `groups` above 1 looks at each alone."""
        name, kernel = f"weight_{len(self.nodes)}", weight.shape[2]
        before, after = padding(shape["side"], kernel, shape.get("stride", 1))
        inputs = (value, self.constant(name, weight), self.constant(f"{name}_bias", bias))
        pads, stride = [before, before, after, after], shape.get("stride", 1)
        return self.node(
            "Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=shape.get("groups", 1)
        )


def write(path: Path, network: str, side: int, weights: Weights, about: Mapping[str, str]) -> None:
    """Write a network whose last layer is already divided by its labels' temperatures; `about` is its metadata."""
    graph = Graph()
    graph.constant("six", np.float32(6))
    graph.constant("zero", np.float32(0))
    scaled = _scaled(graph)
    features = _features(graph, scaled, network, side, weights)
    pooled = graph.node("Flatten", (graph.node("GlobalAveragePool", (features,)),))
    thought = graph.node("Relu", (_layer(graph, pooled, "between", weights),))
    logits = _layer(graph, thought, "labels", weights)
    graph.nodes.append(helper.make_node("Sigmoid", [logits], ["scores"], name="scores"))
    count = len(weights["labels.bias"])
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", side, side, 3])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", count])]
    made = helper.make_graph(graph.nodes, about["name"], inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="rayhound")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _layer(graph: Graph, value: str, name: str, weights: Weights) -> str:
    both = [graph.constant(f"{name}_{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias")]
    return graph.node("Gemm", (value, *both), transB=1)


def _scaled(graph: Graph) -> str:
    """ImageNet's weights were learnt on (x - 127) / 128, which eight bits with a zero of 127 say in one step."""
    turned = graph.node("Transpose", ("image",), perm=[0, 3, 1, 2])
    scale, zero = graph.constant("scale", np.float32(1 / 128)), graph.constant("centre", np.uint8(127))
    return graph.node("DequantizeLinear", (turned, scale, zero))


def _features(graph: Graph, value: str, network: str, side: int, weights: Weights) -> str:
    def step(value: str, name: str, is_bent: bool = True, **shape: int) -> str:
        made = graph.convolution(value, weights[f"{name}.weight"], weights[f"{name}.bias"], **shape)
        return graph.node("Clip", (made, "zero", "six")) if is_bent else made

    value = step(value, "stem", side=side, stride=2)
    side = -(-side // 2)
    for number, block in enumerate(blocks(network)):
        inside, name, wide = value, f"blocks.{number}", block.narrow * block.expansion
        if block.expansion > 1:
            inside = step(inside, f"{name}.widen", side=side)
        inside = step(inside, f"{name}.look", side=side, stride=block.stride, groups=wide)
        side = -(-side // block.stride)
        inside = step(inside, f"{name}.narrow", is_bent=False, side=side)
        value = graph.node("Add", (value, inside)) if block.skips else inside
    return step(value, "head", side=side)

"""What a network can begin from: a model file that training wrote, in eight bits or in 32."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from rayhound.domain import Misconfigured, NotFound
from training.architecture import layers

WEIGHTED = ("Conv", "Gemm")
HINT = "give a file that training wrote by full, frugal or further, such as the model that Rayhound brings"


@dataclass(frozen=True)
class Begun:
    """What a model file says that it is, and its weights by layer: `stem.weight`, `stem.bias` and so on."""

    name: str  # NAME@VERSION
    sha256: str  # of the file
    labels: tuple[str, ...]
    weights: Mapping[str, NDArray[np.float32]]


def read(path: Path, network: str) -> Begun:
    """The weights of a model file; raises `NotFound`, or `Misconfigured` unless training wrote it for this network."""
    try:
        content = path.read_bytes()
    except OSError as e:
        raise NotFound(f"{path} cannot be read: {e.strerror}", HINT) from e
    try:
        model = onnx.load_from_string(content)
        found = list(_weights(model.graph))
    except Exception as e:  # whatever it is that somebody took for a model: protobuf has errors of its own
        raise Misconfigured(f"{path} was not written by training", HINT) from e
    names = layers(network)
    if len(found) != len(names):
        raise Misconfigured(f"{path} has {len(found)} layers, where {network} has {len(names)}", HINT)
    weights: dict[str, NDArray[np.float32]] = {}
    for name, (weight, bias) in zip(names, found, strict=True):
        weights |= {f"{name}.weight": weight, f"{name}.bias": bias}
    about = {entry.key: entry.value for entry in model.metadata_props}
    name, version, labels = (about.get(key, "") for key in ("name", "version", "labels"))
    return Begun(f"{name}@{version}", hashlib.sha256(content).hexdigest(), tuple(labels.split(",")), weights)


def _weights(graph: onnx.GraphProto) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weight and bias of each layer, in the order in which the network asks them."""
    held = {constant.name: numpy_helper.to_array(constant).astype(np.float32) for constant in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}

    def value(name: str) -> NDArray[np.float32]:
        if name in held:
            return held[name]
        source, scale, zero = (held[part] for part in makers[name].input)
        each = (-1, *[1] * (source.ndim - 1)) if scale.size > 1 else ()
        return (source - zero.reshape(each)) * scale.reshape(each)

    for node in graph.node:
        if node.op_type in WEIGHTED:
            yield value(node.input[1]), value(node.input[2])

"""What a network begins from: a file that training wrote, read back without PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from rayhound.domain import Misconfigured, NotFound
from rayhound.settings import DEFAULT_MODEL
from training import architecture, beginning, export, quantization

SIDE, LABELS = 32, ("hen", "cow")
ABOUT = {"name": "farm", "version": "1", "labels": ",".join(LABELS)}


def weights(network: str) -> dict[str, NDArray[np.float32]]:
    """Weights by lot, of the shapes that a network has."""
    shapes: dict[str, tuple[int, ...]] = {"stem": (architecture.STEM, 3, 3, 3)}
    for number, block in enumerate(architecture.blocks(network)):
        wide = block.narrow * block.expansion
        shapes |= {f"blocks.{number}.widen": (wide, block.narrow, 1, 1)} if block.expansion > 1 else {}
        shapes[f"blocks.{number}.look"] = (wide, 1, block.kernel, block.kernel)
        shapes[f"blocks.{number}.narrow"] = (block.wide, wide, 1, 1)
    shapes |= {"head": (architecture.HEAD, block.wide, 1, 1), "between": (64, architecture.HEAD)}
    shapes["labels"] = (len(LABELS), 64)
    rng, made = np.random.default_rng(1), {}
    for name, shape in shapes.items():
        scale = 1 / np.sqrt(np.prod(shape[1:]))
        made[f"{name}.weight"] = rng.normal(0, scale, shape).astype(np.float32)
        made[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return made


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "exact.onnx"
    export.write(path, "lite0", SIDE, weights("lite0"), ABOUT)
    return path


def test_a_file_gives_back_the_weights_that_it_was_written_with(exact: Path) -> None:
    begun = beginning.read(exact, "lite0")
    assert (begun.name, begun.labels) == ("farm@1", LABELS)
    assert begun.weights.keys() == weights("lite0").keys()
    assert all(np.array_equal(begun.weights[name], value) for name, value in weights("lite0").items())


def test_a_file_in_eight_bits_gives_back_nearly_the_same(exact: Path, tmp_path: Path) -> None:
    examples = np.random.default_rng(2).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    quantization.quantize(exact, examples, tmp_path / "eight.onnx")
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(tmp_path / "eight.onnx").graph.node}
    begun = beginning.read(tmp_path / "eight.onnx", "lite0")
    for name, value in weights("lite0").items():
        assert np.abs(begun.weights[name] - value).max() < np.abs(value).max() / 50, name
    assert np.array_equal(begun.weights["labels.weight"], weights("lite0")["labels.weight"])


def test_a_file_of_another_network_is_refused(exact: Path) -> None:
    with pytest.raises(Misconfigured, match=r"exact\.onnx has \d+ layers, where lite2 has \d+"):
        beginning.read(exact, "lite2")


def test_a_file_from_elsewhere_is_refused(exact: Path, tmp_path: Path) -> None:
    model = onnx.load(exact)
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    del first.input[2]  # its bias
    onnx.save(model, tmp_path / "foreign.onnx")
    (tmp_path / "text.onnx").write_text("no model at all")
    for name in ("foreign.onnx", "text.onnx"):
        with pytest.raises(Misconfigured, match=rf"{name} was not written by training"):
            beginning.read(tmp_path / name, "lite0")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.onnx cannot be read: No such file"):
        beginning.read(tmp_path / "none.onnx", "lite0")


def test_the_model_that_comes_along_can_be_begun_from() -> None:
    begun = beginning.read(DEFAULT_MODEL, "lite2")
    assert begun.labels == ("cat", "dog", "radiograph")
    assert len(begun.weights) == 2 * len(architecture.layers("lite2"))

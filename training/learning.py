"""A network learns: one course, from ImageNet's weights to averaged ones, taken up again where it was left."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from training import augmentation, sampling
from training.beginning import Begun
from training.network import Network, from_imagenet, from_model
from training.progress import tell, tracked
from training.recipe import Course

LEAST_LIKELY = 0.01  # so that no label, which may be wrong, is believed wholly
WARM_UP = 0.05
LOOKED_AT = 256
MOST_OFTEN = 8  # an image is shown in an epoch, as a rule: a folder of hundreds needs no epochs of ten thousands


@dataclass(frozen=True)
class Lessons:
    """What there is to learn from: all images on the device, what they show, and how likely each is drawn."""

    images: Tensor
    targets: Tensor
    whole: Tensor
    likely: NDArray[np.float64]
    known: Tensor | None  # what ImageNet's network says of each, where that is to be remembered
    labels: tuple[str, ...]
    begin: Begun | None = None  # the model to go on from, rather than from ImageNet's weights

    @property
    def device(self) -> torch.device:
        """Where the network learns: beside the targets."""
        return self.targets.device


@dataclass(frozen=True)
class Batch:
    """Some images as a network sees them once, what it is to answer, and what ImageNet's network said of each."""

    x: Tensor
    wanted: Tensor
    known: Tensor | None


def device() -> torch.device:
    """The GPU, if there is one."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def learnt(lessons: Lessons, course: Course, folder: Path, seed: int, teachers: Sequence[Network] = ()) -> Network:
    """The averaged network at the end of its course; each epoch is kept in `folder`, so that none is done twice."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    if lessons.begin and lessons.begin.labels == lessons.labels:
        course = replace(course, apart=0)
    network, averaged, begun = (_begun(course, lessons) for _ in range(3))
    for other in (averaged, begun):
        other.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(_groups(network, course), lr=course.rate, fused=lessons.device.type == "cuda")
    checkpoint, done = folder / "checkpoint.pt", 0
    parts: dict[str, Any] = {"network": network, "averaged": averaged, "begun": begun, "optimizer": optimizer}
    if checkpoint.exists():
        kept = torch.load(checkpoint, map_location=lessons.device, weights_only=True)
        done = kept["epochs"]
        tell(f"{folder.name}: goes on after epoch {done}")
        for name, part in parts.items():
            part.load_state_dict(kept[name])
    for epoch in range(done, course.apart + course.epochs):
        torch.manual_seed(seed * 1000 + epoch)
        loss = _epoch(lessons, course, parts, (seed, epoch), teachers)
        if epoch < course.apart:
            begun.load_state_dict(averaged.state_dict())
        tell(f"{folder.name}: epoch {epoch + 1} of {course.apart + course.epochs}, loss {loss:.4f}")
        part_file = checkpoint.with_suffix(".part")
        held = io.BytesIO()  # of a full disk PyTorch would not say what is wrong
        torch.save({name: part.state_dict() for name, part in parts.items()} | {"epochs": epoch + 1}, held)
        part_file.write_bytes(held.getbuffer())
        part_file.replace(checkpoint)
    _follow(averaged, begun, 1 - course.kept)
    return averaged.eval()


def answers(network: Network, images: Tensor, target: torch.device) -> tuple[NDArray[np.float32], Tensor]:
    """The logits of a network for whole squares, uint8, and what it says of ImageNet's classes."""
    logits, known = [], []
    network.eval()
    with torch.inference_mode(), _fast(target):
        starts = range(0, len(images), LOOKED_AT)
        for start in tracked("looking", starts, len(starts)):
            batch = images[start : start + LOOKED_AT].to(target).permute(0, 3, 1, 2).float() / 255
            said, classes = network(augmentation.scaled(batch).contiguous(memory_format=torch.channels_last))
            logits.append(said.float().cpu().numpy())
            known.append(classes.float().softmax(1).half())
    return np.concatenate(logits), torch.cat(known)


def _begun(course: Course, lessons: Lessons) -> Network:
    if lessons.begin:
        network = from_model(lessons.begin, course.network, lessons.labels, course.still)
    else:
        network = from_imagenet(course.network, len(lessons.labels), course.still)
    return network.to(lessons.device, memory_format=torch.channels_last)


def _fast(where: torch.device) -> Any:
    return torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda")


def _groups(network: Network, course: Course) -> list[dict[str, Any]]:
    """The head learns faster than what ImageNet taught; norms and biases do not decay."""
    head = [p for name, p in network.named_parameters() if name.startswith(("between", "labels"))]
    old = [p for name, p in network.named_parameters() if not name.startswith(("between", "labels"))]
    return [
        {"params": [p for p in old if p.dim() > 1], "weight_decay": course.decay, "top": course.rate},
        {"params": [p for p in old if p.dim() == 1], "weight_decay": 0.0, "top": course.rate},
        {"params": head, "weight_decay": course.decay, "top": course.head_rate},
    ]


def _epoch(
    lessons: Lessons, course: Course, parts: dict[str, Any], seed: tuple[int, int], teachers: Sequence[Network]
) -> float:
    order = sampling.drawn(lessons.likely, _shown(lessons, course), seed)
    chance = torch.Generator(lessons.device).manual_seed(seed[0] * 1000 + seed[1])
    steps, is_apart = len(order) // course.batch, seed[1] < course.apart
    total = torch.zeros((), device=lessons.device)
    parts["network"].train()
    for step, chosen in enumerate(tracked("learning", _batches(order, course.batch), steps)):
        done = seed[1] * steps + step
        share = 1.0 if is_apart else _rate((done - course.apart * steps) / (course.epochs * steps))
        for group in parts["optimizer"].param_groups:
            group["lr"] = group["top"] * share
        batch = _batch(lessons, chosen, chance)
        wanted = _taught(course, batch, teachers)
        loss = _loss(course, batch, parts["network"], wanted, is_apart)
        parts["optimizer"].zero_grad(set_to_none=True)
        loss.backward()
        parts["optimizer"].step()
        _follow(parts["averaged"], parts["network"], min(course.average, (1 + done) / (10 + done)))
        total += loss.detach()
    return float(total) / max(steps, 1)


def _shown(lessons: Lessons, course: Course) -> int:
    """How many images an epoch shows, a whole batch at least."""
    return max(min(course.shown, MOST_OFTEN * int(np.count_nonzero(lessons.likely))), course.batch)


def _batches(order: NDArray[np.int64], batch: int) -> Iterator[Tensor]:
    for start in range(0, len(order) - batch + 1, batch):
        yield torch.from_numpy(order[start : start + batch])


def _rate(done: float) -> float:
    return done / WARM_UP if done < WARM_UP else 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


@torch.no_grad()
def _batch(lessons: Lessons, chosen: Tensor, chance: torch.Generator) -> Batch:
    images = lessons.images[chosen.to(lessons.images.device)].to(lessons.device)
    chosen = chosen.to(lessons.device)
    seen = augmentation.seen(images, lessons.targets[chosen], lessons.whole, chance)
    x = augmentation.scaled(seen.pictures).contiguous(memory_format=torch.channels_last)
    wanted = seen.targets.clamp(LEAST_LIKELY, 1 - LEAST_LIKELY)
    known = None if lessons.known is None else lessons.known[chosen].float() * seen.is_whole[:, None]
    return Batch(x, wanted, known)


@torch.no_grad()
def _taught(course: Course, batch: Batch, teachers: Sequence[Network]) -> Tensor:
    """What a student is to answer: partly its teachers' opinion, partly the labels."""
    if not teachers:
        return batch.wanted
    with _fast(batch.x.device):
        said = torch.stack([torch.sigmoid(teacher(batch.x)[0].float()) for teacher in teachers])
    return torch.lerp(batch.wanted, said.mean(0), course.trusted)


def _loss(course: Course, batch: Batch, network: Network, wanted: Tensor, is_apart: bool) -> Tensor:
    with _fast(batch.x.device):
        with torch.set_grad_enabled(not is_apart):
            features = network.features(batch.x)
        logits = network.answers(features)
        classes = network.imagenet(features) if batch.known is not None else None
    loss = F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none").sum(1).mean()
    if classes is None or batch.known is None:
        return loss
    apart = F.kl_div(classes.float().log_softmax(1), batch.known, reduction="none").sum(1)
    remembered: Tensor = loss + course.remembering * apart.mean()
    return remembered


@torch.no_grad()
def _follow(averaged: Network, network: Network, keep: float) -> None:
    ours, theirs = list(averaged.parameters()), list(network.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - keep)
    for mine, other in zip(averaged.buffers(), network.buffers(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(other, 1 - keep)
        else:
            mine.copy_(other)

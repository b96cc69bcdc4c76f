"""Every network that a recipe asks for learns: rehearsals with whole sources held out, then all that there is."""

from pathlib import Path

import numpy as np
import torch

from rayhound.evaluation import manifest
from training import learning, network, pixels, sampling
from training.asking import Task
from training.beginning import Begun
from training.learning import Lessons
from training.network import Network
from training.progress import tell

# How much of an epoch answers get, where others get 1.
SHARES = {"neither": 1.3, "radiograph": 0.2}


def make_weights(task: Task, name: str, held_out: frozenset[str] = frozenset(), begin: Begun | None = None) -> Path:
    """The file with a student's weights, from an earlier run or made now, its teachers first."""
    made = task.out / f"{name}.npz"
    if made.exists():
        return made
    lessons = _lessons(task, held_out, begin)
    courses = task.recipe.rehearsed if held_out else task.recipe.courses
    teachers: list[Network] = []
    for number in range(courses.teachers):
        seed = task.seed * 100 + number + 1
        teachers.append(learning.learnt(lessons, courses.teacher, task.out / f"{name}-teacher-{number + 1}", seed))
    student = learning.learnt(lessons, courses.student, task.out / f"{name}-student", task.seed * 100, teachers)
    part = made.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, **network.weights(student))
    part.replace(made)
    tell(f"{made} is there")
    return made


def _lessons(task: Task, held_out: frozenset[str], begin: Begun | None) -> Lessons:
    device = learning.device()
    images = torch.from_numpy(pixels.load(task.rows, task.recipe.learnt_side, task.out))
    if device.type == "cuda":
        images = images.to(device)
    likely = sampling.weights(task.rows, SHARES) * task.is_learnt(held_out)
    targets = torch.from_numpy(manifest.targets(task.rows, task.labels)).to(device)
    whole = torch.tensor([label in task.whole for label in task.labels], device=device)
    known = None if begin else _known(task, images, device)
    return Lessons(images, targets, whole, likely / likely.sum(), known, task.labels, begin)


def _known(task: Task, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What ImageNet's network says of every image, kept from one run to the next."""
    kept = task.out / "known.npy"
    if not kept.exists():
        name = task.recipe.courses.student.network
        knowing = network.from_imagenet(name, 1).to(device, memory_format=torch.channels_last)
        np.save(kept, learning.answers(knowing, images, device)[1].cpu().numpy())
    return torch.from_numpy(np.load(kept)).to(device)

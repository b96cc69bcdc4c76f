"""How many cores this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def cores(root: Path = Path("/")) -> int:
    """The cores that this process may use, at least 1: its affinity, and every CPU quota above it, rounded up.

    A quota of a parent cgroup binds its children too, so the smallest on the path counts (cgroup v1 and v2).
    `root` is where `proc` and `sys` lie.
    """
    return max(1, math.ceil(min([_affinity(), *_quotas(root)])))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if not controllers:
            mounts = [root / "sys/fs/cgroup"]
        elif "cpu" in controllers.split(","):
            mounts = [root / "sys/fs/cgroup" / name for name in {controllers, "cpu"}]
        else:
            continue
        # In a container the path may be the host's, of which only the mount's root is visible; the rest is passed over.
        for folder in [own, *map(str, PurePosixPath(own).parents)]:
            for mount in mounts:
                yield from _quota(mount / folder.lstrip("/"))


def _quota(folder: Path) -> Iterator[float]:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    except OSError:
        return
    if quota not in ("max", "-1"):
        yield int(quota) / int(period)

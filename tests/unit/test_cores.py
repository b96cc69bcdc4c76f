"""How many cores a process may use, told from a drawn /proc and /sys."""

import os
from pathlib import Path

import pytest

from rayhound.analysers.cores import cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def machine(root: Path, cgroup: str, **files: str) -> Path:
    """A tree of /proc and /sys with this /proc/self/cgroup and these files below /sys/fs/cgroup."""
    content = {"proc/self/cgroup": cgroup} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert cores(tmp_path) == 8


@pytest.mark.parametrize(("quota", "wanted"), [("max", 8), ("250000", 3), ("20000", 1), ("200000", 2), ("9900000", 8)])
def test_a_quota_of_cgroup_2_is_rounded_up(quota: str, wanted: int, tmp_path: Path) -> None:
    assert cores(machine(tmp_path, "0::/\n", **{"cpu.max": f"{quota} 100000\n"})) == wanted


def test_the_smallest_quota_on_the_path_binds(tmp_path: Path) -> None:
    files = {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "400000 100000\n", "a/b/c/cpu.max": "max 100000\n"}
    assert cores(machine(tmp_path, "0::/a/b/c\n", **files)) == 2


def test_a_path_that_only_the_host_sees_leaves_the_mount_s_own_quota(tmp_path: Path) -> None:
    assert cores(machine(tmp_path, "0::/docker/0123\n", **{"cpu.max": "300000 100000\n"})) == 3


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_cgroup_1_counts_too(folder: str, tmp_path: Path) -> None:
    files = {
        f"{folder}/pod/cpu.cfs_quota_us": "350000\n",
        f"{folder}/pod/cpu.cfs_period_us": "100000\n",
        f"{folder}/pod/box/cpu.cfs_quota_us": "-1\n",
        f"{folder}/pod/box/cpu.cfs_period_us": "100000\n",
    }
    cgroup = "5:memory:/pod/box\n4:cpu,cpuacct:/pod/box\n1:name=systemd:/\n0::/\n"
    assert cores(machine(tmp_path, cgroup, **files)) == 4


def test_this_machine_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores() >= 1

"""What only an archive in a folder can break: fsyncs and their order, folders, temporary files, the lock."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rayhound.adapters.directory import DirectoryArchive
from rayhound.adapters.lock import locked
from rayhound.domain import Broken, InDoubt, Misconfigured, StorageFull, Unavailable
from rayhound.ports import Put

pytestmark = pytest.mark.anyio

KEY = "2026/11/23/an-image/accepted.json"


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    root.mkdir()
    return root


@pytest.fixture
async def archive(root: Path) -> AsyncIterator[DirectoryArchive]:
    archive = DirectoryArchive(root)
    yield archive
    await archive.close()


class Calls:
    """Every fsync and link as it happens: `fsync 2026/11/23`, `link 2026/11/23/an-image/accepted.json`.

    `fail` makes those whose text begins so raise an error.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.fail: dict[str, int] = {}
        fsync, link = os.fsync, os.link

        def told(what: str, path: str) -> None:
            where = os.path.relpath(path, root)
            self.made.append(f"{what} {'.spool/…' if where.startswith('.spool/') else where}")
            for text, number in self.fail.items():
                if self.made[-1].startswith(text):
                    raise OSError(number, os.strerror(number))

        def recorded_fsync(descriptor: int) -> None:
            told("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
            fsync(descriptor)

        def recorded_link(source: Path, target: Path) -> None:
            told("link", str(target))
            link(source, target)

        monkeypatch.setattr(os, "fsync", recorded_fsync)
        monkeypatch.setattr(os, "link", recorded_link)


@pytest.fixture
def calls(root: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(root, monkeypatch)


FOLDERS = ["fsync .", "fsync 2026", "fsync 2026/11", "fsync 2026/11/23"]
FILE = ["fsync .spool/…"]
NAMED = [f"link {KEY}", "fsync 2026/11/23/an-image"]


async def test_a_file_is_on_the_disk_before_it_has_a_name_and_its_folder_after(
    archive: DirectoryArchive, calls: Calls
) -> None:
    await archive.put(KEY, b"{}")
    assert calls.made == [*FILE, *FOLDERS, *NAMED]


async def test_folders_are_brought_to_the_disk_once_by_each_process_whoever_made_them(
    archive: DirectoryArchive, root: Path, calls: Calls
) -> None:
    await archive.put(KEY, b"{}")
    calls.made.clear()
    await archive.put("2026/11/23/an-image/analysis.m.json", b"{}")
    assert [c for c in calls.made if c in FOLDERS] == []
    other = DirectoryArchive(root)
    calls.made.clear()
    await other.put("2026/11/23/an-image/failed.m.0.json", b"{}")
    await other.close()
    assert [c for c in calls.made if c in FOLDERS] == FOLDERS


async def test_a_spooled_file_is_brought_to_the_disk_and_linked_without_a_copy(
    archive: DirectoryArchive, root: Path, calls: Calls
) -> None:
    spooled = archive.spool / "upload"
    spooled.write_bytes(b"pixels")
    await archive.put(KEY, spooled)
    assert calls.made == [*FILE, *FOLDERS, *NAMED]
    assert (root / KEY).stat().st_ino == spooled.stat().st_ino


async def test_what_is_there_already_counts_only_once_we_brought_it_to_the_disk(
    archive: DirectoryArchive, calls: Calls
) -> None:
    await archive.put(KEY, b"{}")
    calls.made.clear()
    assert await archive.put(KEY, b"{}") is Put.SAME
    assert calls.made == [*FILE, f"link {KEY}", f"fsync {KEY}", "fsync 2026/11/23/an-image"]


async def test_a_spooled_file_of_another_file_system_is_copied(
    archive: DirectoryArchive, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link
    spooled = tmp_path / "elsewhere"
    spooled.write_bytes(b"pixels")

    def across(source: Path, target: Path) -> None:
        if source == spooled:
            raise OSError(errno.EXDEV, "cross-device link")
        link(source, target)

    monkeypatch.setattr(os, "link", across)
    assert await archive.put(KEY, spooled) is Put.CREATED
    assert await archive.put(KEY, spooled) is Put.SAME
    assert (root / KEY).read_bytes() == b"pixels"
    assert list(archive.spool.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "number", "error"),
    [
        ("fsync .spool/", errno.EIO, Unavailable),
        ("fsync .spool/", errno.ENOSPC, StorageFull),
        ("link", errno.ENOSPC, StorageFull),
        ("link", errno.EDQUOT, StorageFull),
        ("link", errno.EROFS, Unavailable),
        ("link", errno.EIO, InDoubt),
    ],
)
async def test_a_failure_before_the_name_leaves_nothing(
    archive: DirectoryArchive, root: Path, calls: Calls, call: str, number: int, error: type[Exception]
) -> None:
    calls.fail[call] = number
    with pytest.raises(error):
        await archive.put(KEY, b"{}")
    assert [p for p in root.rglob("*") if p.is_file()] == []
    calls.fail.clear()
    assert await archive.put(KEY, b"{}") is Put.CREATED


async def test_a_folder_that_could_not_be_brought_to_the_disk_breaks_the_archive_until_a_restart(
    archive: DirectoryArchive, root: Path, calls: Calls
) -> None:
    calls.fail["fsync 2026/11/23/an-image"] = errno.EIO
    with pytest.raises(Broken, match="stable storage"):
        await archive.put(KEY, b"{}")
    assert (root / KEY).exists(), "another may lean on it already"
    calls.fail.clear()
    with pytest.raises(Broken):
        await archive.put("keys/a.json", b"{}")
    with pytest.raises(Broken):
        await archive.ping()
    again = DirectoryArchive(root)
    assert await again.put(KEY, b"{}") is Put.SAME
    await again.close()


KILLED_WRITER = """
import asyncio, os, pathlib, signal, sys
from rayhound.adapters.directory import DirectoryArchive
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(DirectoryArchive(pathlib.Path(sys.argv[1])).put("keys/a.json", b"{}"))
"""


async def test_a_killed_writer_leaves_nothing_that_is_listed_and_its_file_goes_after_an_hour(root: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(root)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    archive = DirectoryArchive(root)
    assert [entry async for entry in archive.list("")] == []
    [left] = archive.spool.iterdir()
    await archive.ping()
    assert left.exists(), "another process may be writing it"
    os.utime(left, (time.time() - 3700, time.time() - 3700))
    again = DirectoryArchive(root)
    await again.ping()
    assert not left.exists()
    await archive.close()
    await again.close()


async def test_names_that_are_not_ours_are_left_alone(archive: DirectoryArchive, root: Path) -> None:
    (root / "lost+found").mkdir()
    (root / "lost+found" / "x").write_text("")
    (root / ".hidden").write_text("")
    await archive.put("outbox/a", b"")
    (root / "outbox" / "a~").write_text("")
    assert [entry.key async for entry in archive.list("")] == ["outbox/a"]


async def test_a_day_may_be_removed_from_outside_while_we_run(archive: DirectoryArchive, root: Path) -> None:
    await archive.put(KEY, b"{}")
    subprocess.run(["rm", "-r", root / "2026"], check=True)
    assert await archive.put(KEY, b"{}") is Put.CREATED


async def test_an_archive_that_is_away_is_away_and_not_empty(archive: DirectoryArchive, root: Path) -> None:
    root.rename(root.parent / "elsewhere")
    with pytest.raises(Unavailable):
        [entry async for entry in archive.list("outbox/")]
    with pytest.raises(Unavailable):
        await archive.put(KEY, b"{}")
    with pytest.raises(Unavailable):
        await archive.ping()


async def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as told:
        DirectoryArchive(tmp_path / "none")
    assert "mounted" in told.value.hint
    assert not (tmp_path / "none").exists()


async def test_one_process_at_a_time_holds_a_folder(root: Path) -> None:
    with locked(root), pytest.raises(Misconfigured, match="another"), locked(root):
        pass


async def test_a_folder_tells_whether_its_last_holder_was_killed(root: Path) -> None:
    with locked(root) as unclean:
        assert not unclean
    with locked(root) as unclean:
        assert not unclean
    holder = (
        "import os, pathlib, signal, sys; from rayhound.adapters.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", holder, str(root)], check=False, timeout=60)
    with locked(root) as unclean:
        assert unclean
    with locked(root) as unclean:
        assert not unclean

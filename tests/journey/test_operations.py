"""What the operations guide says of looking after an archive, done while uploads go on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests import guides
from tests.journey.ledger import Ledger, all_ids, judge, send_until_accepted
from tests.journey.parts import Parts, in_folder, parts
from tests.journey.upping import PATIENCE, within

PAGE = "docs/guides/operations.md"
BEFORE, OVERLAP = 20, 10


@contextmanager
def uploading(running: Parts, ledger: Ledger) -> Iterator[None]:
    """Uploads go on, from some of them before the block until it ends."""
    over = threading.Event()

    def upload(first: int) -> None:
        for number in range(first, 1_000_000, 3):
            if over.wait(0.5):
                return
            send_until_accepted(running.web_servers, ledger, number)

    with ThreadPoolExecutor(3) as threads:
        senders = [threads.submit(upload, first) for first in range(3)]
        try:
            assert any(len(ledger) >= OVERLAP for _ in within(2 * PATIENCE))
            yield
        finally:
            over.set()
        for sender in senders:
            sender.result()


def test_a_backup_that_was_taken_while_uploads_went_on_is_restored_and_answered(tmp_path: Path) -> None:
    asking, backup, restore, old_keys = guides.blocks(PAGE, "run on a copy")
    archive = in_folder(tmp_path)
    folders = {"ARCHIVE": str(tmp_path / "archive"), "BACKUP": str(tmp_path), "RESTORED": str(tmp_path / "restored")}
    before, meanwhile = Ledger(), Ledger()
    with parts(tmp_path, archive, consumers=1) as running:
        for number in range(BEFORE):
            if number == BEFORE // 2:  # the others wait, each of them never lent
                assert judge(running.web_servers[0], before, []).lost == 0
                assert running.consumers[0].stop() == 0
            send_until_accepted(running.web_servers, before, number)
        with uploading(running, meanwhile):
            guides.run(asking, tmp_path, archive)
            running.consumers[0].start()
            guides.run(backup, tmp_path, folders)
            guides.run(old_keys, tmp_path, folders)
    assert f"{next(iter(before.sha256))}  queued again" not in guides.run(restore, tmp_path, folders)
    (tmp_path / "new").mkdir()
    with parts(tmp_path / "new", {"RAYHOUND_ARCHIVE": folders["RESTORED"]}, web_servers=1, consumers=1) as restored:
        server = restored.web_servers[0]
        ids = all_ids(server)
        assert set(before.sha256) <= set(ids) <= set(before.sha256) | set(meanwhile.sha256)
        assert {server.answered(image_id, 4 * PATIENCE)["status"] for image_id in ids} == {"analysed"}
        verdict = judge(server, before, restored.consumers)
        assert verdict.lost == 0

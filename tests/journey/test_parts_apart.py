"""Replicas that have no disk in common: they share a bucket, opened by the keys that an agent lends, and a broker.

Each has a temporary folder of its own, and one that is killed begins anew with an empty one, as a new pod does.
"""

import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import s3roles
from tests.brokers import free_ports, rabbitmq
from tests.journey.ledger import Ledger, judge, send_until_accepted
from tests.journey.upping import CONSUME, PATIENCE, SERVE, Process, within
from tests.lending import agent, environment

REPLICAS, UPLOADS = 3, 120
LENT_SECONDS = 303.0  # a client renews what has less than five minutes to go: so each of them every three seconds
AT_WORK = 0.4  # of the uploads are accepted, and others under way, when the killing begins


@contextmanager
def replicas(folder: Path, command: Sequence[str], shared: Mapping[str, str]) -> Generator[dict[Process, Path]]:
    """Processes of one kind, and the temporary folder of each."""
    with ExitStack() as stack:
        made = {}
        for port in free_ports(REPLICAS):
            own = folder / f"{command[-1]}-{port}"
            own.mkdir()
            ports = {"RAYHOUND_PORT": str(port), "RAYHOUND_METRICS_PORT": str(port), "TMPDIR": str(own)}
            process = stack.enter_context(Process(folder / f"{own.name}.log", port, command, {**shared, **ports}))
            made[process] = own
        yield made


def replace(process: Process, own: Path) -> None:
    """Kill one together with its disk, and begin anew."""
    process.kill()
    shutil.rmtree(own)
    own.mkdir()
    process.start()


def test_replicas_share_a_bucket_and_no_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began, roles, ledger = time.monotonic(), s3roles.start(), Ledger()
    bucket = roles.server.bucket()
    roles.allow(bucket, s3roles.policy(bucket))
    with ExitStack() as stack:
        lender = stack.enter_context(agent(tmp_path, lambda: roles.lend(bucket, LENT_SECONDS)))
        broker = stack.enter_context(rabbitmq("3.10"))
        known = {"RAYHOUND_ARCHIVE": f"s3://{bucket}/images", "RAYHOUND_QUEUE": broker.url, "RAYHOUND_ANALYSERS": "1"}
        shared = environment(roles.server.port, lender) | known | {"RAYHOUND_HOST": "127.0.0.1"}
        web_servers = stack.enter_context(replicas(tmp_path, SERVE, shared))
        consumers = stack.enter_context(replicas(tmp_path, CONSUME, shared))
        servers = list(web_servers)
        with ThreadPoolExecutor(4) as threads:
            sent = [threads.submit(send_until_accepted, servers, ledger, number) for number in range(UPLOADS)]
            for _ in within(2 * PATIENCE):
                if len(ledger) >= AT_WORK * UPLOADS:
                    break
            else:
                raise AssertionError(f"only {len(ledger)} uploads were accepted")
            for process, own in [*list(web_servers.items())[:2], *list(consumers.items())[:2]]:
                replace(process, own)
            for one in sent:
                one.result()
        verdict = judge(servers[-1], ledger, list(consumers))
        with capsys.disabled():
            took = time.monotonic() - began
            print(f"\nno disk in common: {verdict}; {len(lender.lent)} keys lent, in {took:.0f} s")
        assert (verdict.uploads, verdict.lost, verdict.doubled, verdict.failed) == (UPLOADS, 0, 0, 0)
        for process, own in {**web_servers, **consumers}.items():
            assert process.stop() == 0
            assert list(own.iterdir()) == [], "what it kept on its disk was for itself, and for a while"
    assert all(key.startswith("images/") for key in roles.server.lies(bucket))

"""The image that the Dockerfile makes, and the parts that compose.yaml puts together."""

import secrets
import signal
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from rayhound import __version__
from tests import guides
from tests.containers import CONTAINED, ROOT, Composed, docker, inspected, run_docker
from tests.journey.ledger import Ledger, Verdict, judge, send_until_accepted
from tests.journey.upping import PATIENCE, Server, within
from tests.pictures import encoded, scene

MOST_BYTES = 400_000_000
UPLOADS = 120
OPERATIONS = "docs/guides/operations.md"


@pytest.fixture
def volume(image: str) -> Generator[str]:
    """A volume of Docker's that nobody has used."""
    name = docker("volume", "create", f"rayhound-test-{secrets.token_hex(4)}")
    yield name
    docker("volume", "rm", "--force", name)


def dog(number: int) -> bytes:
    """A sound picture, another one for each number."""
    return encoded(scene((160 + number, 120)), "JPEG")


def test_the_image_is_small_and_says_what_it_is(image: str) -> None:
    said = inspected(image)
    assert said["Size"] < MOST_BYTES
    assert said["Config"]["User"] == "10001:10001"
    labels = {name.rpartition(".")[2]: text for name, text in said["Config"]["Labels"].items()}
    assert (labels["title"], labels["licenses"], labels["version"]) == ("Rayhound", "Apache-2.0", __version__)
    assert docker("run", "--rm", *CONTAINED, image, "--version") == f"rayhound {__version__}"


def test_only_what_the_image_is_made_of_is_sent_to_the_engine(image: str, tmp_path: Path) -> None:
    command = ["docker", "build", "--quiet", f"--output={tmp_path}", "--file=-", "."]
    subprocess.run(
        command, cwd=ROOT, input=b"FROM scratch\nCOPY . /\n", check=True, capture_output=True, timeout=PATIENCE
    )
    sent = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    made_of = ["src", "requirements", "pyproject.toml", "README.md", "LICENSE"]
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *made_of]
    named = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True)
    assert sent == set(named.stdout.split())


def test_everything_in_one_container_answers_the_cat_and_stops_when_told(
    image: str, volume: str, cat: Path, tmp_path: Path
) -> None:
    started = ["run", "--detach", *CONTAINED, f"--volume={volume}:/data/images", "--publish=127.0.0.1::5000", image]
    container = docker(*started, "up", "--data", "/data/images")
    try:
        port = int(docker("port", container, "5000").rpartition(":")[2])
        server = Server(tmp_path / "log", port)
        server.log.touch()
        with closing(server.http):
            assert any(server.answers() for _ in within(2 * PATIENCE)), docker("logs", container)
            assert server.answered(server.accepted(cat.read_bytes()))["contains"] == "cat"
        owners = docker("exec", container, "stat", "--format=%u:%g", "/data/images", "/data/images/archive.json")
        assert owners.split() == ["10001:10001"] * 2
        assert docker("exec", container, "cat", "/proc/1/cmdline").split("\0")[1:3] == [
            "/opt/rayhound/bin/rayhound",
            "up",
        ]
        docker("stop", "--time=60", container)
        assert inspected(container)["State"]["ExitCode"] == 0
    finally:
        docker("rm", "--force", container)


def test_a_container_that_is_told_to_stop_while_it_starts_ends_at_once(image: str) -> None:
    container = docker("run", "--detach", *CONTAINED, "--env=PYTHONVERBOSE=1", image, "up", "--data", "/tmp/data")
    try:
        assert any("import 'typer'" in run_docker("logs", container).stderr for _ in within(PATIENCE))
        docker("stop", "--time=30", container)
        assert inspected(container)["State"]["ExitCode"] != 128 + signal.SIGKILL
    finally:
        docker("rm", "--force", container)


ARCHIVE = {"RAYHOUND_ARCHIVE": "file:///data/images"}


@pytest.mark.parametrize(
    ("role", "settings", "error", "hint"),
    [
        ("serve", {}, "RAYHOUND_ARCHIVE is not set", "name what all parts share"),
        ("consume", ARCHIVE, "RAYHOUND_QUEUE is not set", "amqp://"),
        (
            "serve",
            ARCHIVE | {"RAYHOUND_QUEUE": "amqp://nowhere"},
            "the archive /data/images cannot be used: Read-only file system",
            "is it mounted",
        ),
    ],
    ids=["no archive", "no queue", "no storage"],
)
def test_a_part_without_its_settings_ends_and_says_why(
    image: str, role: str, settings: dict[str, str], error: str, hint: str
) -> None:
    given = [f"--env={name}={value}" for name, value in settings.items()]
    done = run_docker("run", "--rm", *CONTAINED, *given, image, role)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-2:]
    assert said[0].startswith(f"error: {error}")
    assert said[1].startswith("hint: ")
    assert hint in said[1]


def test_composed_parts_lose_nothing_by_kills_by_down_and_up_and_by_a_restore(
    image: str, cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Composed(image, tmp_path / "consumers.log") as parts:
        began = time.monotonic()
        parts.up("--wait")
        started = time.monotonic() - began
        picture = parts.accepted(cat.read_bytes())
        assert parts.answered(picture)["contains"] == "cat"
        verdict = killed_while_uploading(parts, (picture, cat.read_bytes()))
        with capsys.disabled():
            print(f"\ncompose: up in {started:.0f} s; broker and consumer killed: {verdict}")
        assert (verdict.uploads, verdict.lost, verdict.doubled, verdict.failed) == (UPLOADS + 1, 0, 0, 0)
        queued, folder = [picture], {"COMPOSE_FILE": str(ROOT / "compose.yaml"), **parts.environment}
        parts("stop", "consumer")
        assert inspected(parts.container("consumer"))["State"]["ExitCode"] == 0
        queued += [parts.accepted(dog(number)) for number in range(5)]
        [backup] = guides.blocks(OPERATIONS, "run with compose: backup")
        guides.run(backup, tmp_path, folder)
        parts("down")
        parts.up()
        assert {parts.answered(image_id)["status"] for image_id in queued} == {"analysed"}
        parts("stop", "web-server")
        assert inspected(parts.container("web-server"))["State"]["ExitCode"] == 0
        parts("down", "--volumes")
        [restore] = guides.blocks(OPERATIONS, "run with compose: restore")
        guides.run(restore, tmp_path, folder, seconds=4 * PATIENCE)
        parts.until_answering()
        assert parts.record(picture)["contains"] == "cat"
        assert {parts.answered(image_id, 4 * PATIENCE)["status"] for image_id in queued} == {"analysed"}


def killed_while_uploading(parts: Composed, before: tuple[str, bytes]) -> Verdict:
    """What became of uploads during which a consumer and the broker were killed, and started again."""
    ledger = Ledger()
    ledger.accepted("the picture before", *before)
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(send_until_accepted, [parts], ledger, number) for number in range(UPLOADS)]
        for service in ("consumer", "rabbitmq"):
            reached = len(ledger) + UPLOADS // 4
            assert any(len(ledger) >= reached for _ in within(4 * PATIENCE))
            docker("kill", parts.container(service))
        docker("start", parts.container("rabbitmq"), parts.container("consumer"))
        for one in sent:
            one.result()
    for image_id in ledger.sha256:
        parts.answered(image_id, 10 * PATIENCE)
    parts.gather()
    return judge(parts, ledger, [parts])

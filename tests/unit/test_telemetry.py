"""How Rayhound speaks of itself: the form of its lines, what each is about, and the names and values of its metrics."""

import asyncio
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from rayhound import telemetry
from rayhound.domain import TRACEPARENT, Header, Request, Upload, new_image_id
from rayhound.pipeline.accepting import accept, requeue
from rayhound.pipeline.settling import Outcome, settle
from rayhound.ports import Delivery
from tests.unit.fate import Fault
from tests.unit.world import World

KINDS_OF_LINES = """
import asyncio, logging, sys, warnings
from rayhound import telemetry

async def main():
    async def fails():
        raise ValueError("nobody waits for this\\nand it has two lines")
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    del task

telemetry.configure(sys.argv[1])
telemetry.log().info("accepted", file_name='a "cat"\\n.jpg', again=None, seconds=0.0061)
logging.getLogger("uvicorn.error").warning("a library's %s", "line\\nand another")
warnings.warn("deprecated\\nsomething")
try:
    1 / 0
except ZeroDivisionError:
    telemetry.log().error("unexpected", exc_info=True)
    logging.getLogger("asyncio").exception("a library's trouble")
asyncio.run(main())
"""


def lines_of(log_format: str) -> list[str]:
    """What a process says that meets every kind of line."""
    command = [sys.executable, "-c", KINDS_OF_LINES, log_format]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr.splitlines()


def test_in_json_every_line_is_one_object_whoever_says_it() -> None:
    lines = [json.loads(line) for line in lines_of("json")]
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "error", "error", "error"]
    assert all(line["event"] and line["timestamp"].endswith("Z") for line in lines)
    assert lines[0]["file_name"] == 'a "cat"\n.jpg'
    assert "again" not in lines[0]
    assert ["ZeroDivisionError" in line.get("exception", "") for line in lines] == [False] * 3 + [True, True, False]
    assert "ValueError" in lines[5]["exception"]


def test_in_text_every_line_begins_with_its_time_and_level_and_nothing_breaks_it() -> None:
    lines = lines_of("text")
    assert len(lines) == 6
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) ", line) for line in lines)
    assert lines[0].endswith(r'Z info accepted file_name="a \"cat\"\n.jpg" seconds=0.006')


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", True),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", False),
        ("", False),
    ],
)
def test_a_trace_is_known_by_the_form_that_w3c_gave_it(text: str, valid: bool) -> None:
    assert bool(TRACEPARENT.fullmatch(text)) is valid


def run(tmp_path: Path, told: Callable[[World], Awaitable[None]], kept: bool = True) -> None:
    async def all_of_it() -> None:
        await asyncio.wait_for(told(World(tmp_path, kept)), 60)

    asyncio.run(all_of_it())


def trace(number: int) -> str:
    """A `traceparent`, another one for each number."""
    return f"00-{number + 1:032x}-b7ad6b7169203331-01"


async def send(world: World, number: int = 0, content: bytes = b"a dog") -> str:
    """Send an image with a correlation id and a trace of its own; its id."""
    spooled = world.spool / f"spooled-{new_image_id()}"
    spooled.write_bytes(content)
    header, digest = Header("JPEG", "image/jpeg", "jpg", 4, 3), hashlib.sha256(content).hexdigest()
    upload = Upload(header, len(content), digest, None, f"visit:{number}", None, trace(number))
    return (await accept(world.house, upload, spooled)).image_id


async def taken(world: World, count: int) -> list[Delivery]:
    """So many deliveries, in hand at once."""
    async with aclosing(world.queue.deliveries()) as deliveries:
        return [await anext(deliveries) for _ in range(count)]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "embedded"])
def test_lines_about_many_images_at_once_each_carry_their_own_ids_and_trace(tmp_path: Path, kept: bool) -> None:
    async def told(world: World) -> None:
        ids = [await send(world, number, b"garbage" if number % 2 else b"a dog") for number in range(4)]
        with capture_logs([telemetry.in_context]) as lines:
            await asyncio.gather(*(settle(world.desk(), d) for d in await taken(world, 4)))
        assert len(lines) == 8
        for line in lines:
            number = ids.index(line["image_id"])
            assert line["correlation_id"] == f"visit:{number}"
            assert line["trace_id"] == f"{number + 1:032x}"
            assert list(line)[:3] == ["image_id", "correlation_id", "trace_id"]
        await world.upload(b"another dog")
        with capture_logs([telemetry.in_context]) as lines:
            await world.consume()
        assert lines
        assert not [line for line in lines if "trace_id" in line]

    run(tmp_path, told, kept)


def test_a_trace_survives_whoever_completes_the_acceptance_and_a_requeue(tmp_path: Path) -> None:
    async def told(world: World) -> None:
        world.fate.begin(Fault.REFUSED, 4, nobody)  # the publish: a sweep does it again
        image_id = await send(world, 7)
        world.now += timedelta(minutes=2)
        with capture_logs([telemetry.in_context]) as lines:
            await world.sweep()
            assert Outcome.ANALYSED in await world.consume()
            for key in [k for k in world.archive.objects if "analysis." in k]:
                del world.archive.objects[key]
            assert [r.image_id async for r in requeue(world.archive)] == [image_id]
            world.now += timedelta(minutes=2)
            await world.sweep()
            assert Outcome.ANALYSED in await world.consume()
        assert {line["trace_id"] for line in lines} == {f"{8:032x}"}

    run(tmp_path, told)


async def nobody() -> None:
    pass


def value(name: str, registry: CollectorRegistry = telemetry.CONSUMER, **labels: str) -> float:
    """What one sample says now; 0 before it is there."""
    return registry.get_sample_value(name, labels) or 0.0


def test_every_delivery_counts_by_its_outcome_and_each_stage_by_its_time(tmp_path: Path) -> None:
    def counts() -> dict[str, float]:
        settled = {o.value: value("rayhound_deliveries_settled_total", outcome=o) for o in Outcome}
        stages = ("fetching", "reading", "classifying", "storing")
        timed = {s: value("rayhound_analysis_stage_seconds_count", stage=s) for s in stages}
        dogs = {"dog": value("rayhound_images_analysed_total", contains="dog")}
        return settled | timed | dogs | {"settle": value("rayhound_settle_seconds_count")}

    async def told(world: World) -> None:
        before = counts()
        for content in (b"a dog", b"garbage", b"a dog that is gone"):
            gone = await send(world, content=content)
        for key in [k for k in world.archive.objects if gone in k and k[0].isdigit()]:
            del world.archive.objects[key]
        outcomes = await world.consume()
        assert outcomes == [Outcome.ANALYSED, Outcome.FAILED, Outcome.REJECTED]
        await send(world)
        [delivery] = await taken(world, 1)
        assert await settle(replace(world.desk(), archive_id="another"), delivery) is Outcome.FOREIGN
        world.fate.begin(Fault.REFUSED, 1, nobody)
        [delivery] = await taken(world, 1)
        desk = world.desk()
        desk.patience.stopping.set()
        assert await settle(desk, delivery) is Outcome.RELEASED
        moved = {name: counts()[name] - before[name] for name in before}
        once = {"analysed", "failed", "rejected", "foreign", "released", "reading", "classifying", "dog"}
        twice = {"fetching", "storing", "settle"}
        assert moved == dict.fromkeys(once, 1.0) | dict.fromkeys(twice, 2.0) | {"known": 0.0}

    run(tmp_path, told)


def a_request(age: float) -> Request:
    image_id = new_image_id()
    return Request(image_id, "archive", image_id, requested_at=datetime.now(UTC) - timedelta(seconds=age))


def test_the_wait_of_a_request_is_counted_once_and_no_clock_makes_it_negative() -> None:
    count, total = "rayhound_queue_wait_seconds_count", "rayhound_queue_wait_seconds_sum"
    before = value(count), value(total)
    for age, lent_before in ((30.0, False), (-3600.0, False), (30.0, True)):
        with telemetry.taken(a_request(age), lent_before):
            pass
    with telemetry.taken(replace(a_request(0), requested_at=None), lent_before=False):
        pass
    assert value(count) - before[0] == 2
    assert 30 <= value(total) - before[1] < 60


def test_the_oldest_request_is_the_oldest_in_hand_and_none_is_0() -> None:
    name = "rayhound_oldest_request_seconds"
    assert value(name) == 0
    with telemetry.taken(a_request(5), lent_before=False):
        with telemetry.taken(a_request(500), lent_before=True):
            assert 500 <= value(name) < 560
        assert 5 <= value(name) < 65
    with telemetry.taken(a_request(-60), lent_before=False):
        assert value(name) == 0
    assert value(name) == 0


UNITS = ("_seconds", "_bytes", "_info")
THINGS = ("_ready", "_ok", "_spooling", "_markers", "_alive")


@pytest.mark.parametrize("registry", [telemetry.EVERY_PROCESS, telemetry.WEB_SERVER, telemetry.CONSUMER])
def test_every_metric_is_named_by_prometheus_rules(registry: CollectorRegistry) -> None:
    for family in registry.collect():
        if family.name.startswith("process_"):
            continue
        assert re.fullmatch(r"rayhound(_[a-z]+)+", family.name)
        assert family.documentation.endswith("."), family.name
        assert family.type != "histogram" or family.name.endswith("_seconds")
        assert family.type != "gauge" or family.name.endswith(UNITS + THINGS), family.name
        assert family.type != "counter" or not family.name.endswith(UNITS), family.name


def test_no_metric_belongs_to_two_roles() -> None:
    registries = (telemetry.EVERY_PROCESS, telemetry.WEB_SERVER, telemetry.CONSUMER)
    names = [family.name for registry in registries for family in registry.collect()]
    assert len(names) == len(set(names))

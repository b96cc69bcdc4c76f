"""What parts that run tell of themselves: metrics that move, and log lines in which an image can be followed."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from rayhound import telemetry
from tests.brokers import free_ports
from tests.journey.parts import in_folder, parts
from tests.journey.serving import upload
from tests.journey.upping import PATIENCE, SERVE, Process, Up, within
from tests.killing import picture
from tests.pictures import encoded, scene
from tests.rabbits import channel_of

KILLING_CONSUME = (sys.executable, "-m", "tests.journey.killing_consume")
TRACE = "0af7651916cd43dd8448eb211c80319c"
FOLLOWED = {"X-Correlation-ID": "visit:17", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


def scraped(process: Process) -> dict[str, float]:
    """The largest sample of every metric, as Prometheus reads it, without the buckets of histograms."""
    families = text_string_to_metric_families(process.http.get("/metrics").text)
    return {f.name: max((s.value for s in f.samples if "le" not in s.labels), default=0.0) for f in families}


def check(process: Process, name: str) -> float:
    """What `rayhound_check_ok` says of one check."""
    families = text_string_to_metric_families(process.http.get("/metrics").text)
    return next(s.value for f in families for s in f.samples if s.labels.get("check") == name)


@dataclass
class Told:
    """What a web server and a consumer told: the largest value that each metric ever had, and their log lines."""

    web_server: dict[str, float] = field(default_factory=dict)
    consumer: dict[str, float] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def until(self, process: Process, seen: dict[str, float], *names: str) -> None:
        """Look until these metrics are above 0."""
        for _ in within(2 * PATIENCE, pause=0.2):
            for name, value in scraped(process).items():
                seen[name] = max(value, seen.get(name, 0.0))
            if all(seen.get(name, 0.0) > 0 for name in names):
                return
        raise AssertionError(f"still 0: {[name for name in names if not seen.get(name)]}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A few misfortunes: a refusal, a slow sender, a dead letter, poison, and a broker that goes away."""
    folder, told = tmp_path_factory.mktemp("telemetry"), Told()
    json_logs = in_folder(folder) | {"RAYHOUND_LOG_FORMAT": "json"}
    with parts(folder, json_logs, web_servers=1, consumers=0) as running:
        [server], [port] = running.web_servers, free_ports(1)
        shared = {"RAYHOUND_QUEUE": running.broker.url, "RAYHOUND_HOST": "127.0.0.1", "RAYHOUND_ANALYSERS": "1"}
        settings = {**json_logs, **shared, "RAYHOUND_METRICS_PORT": str(port)}
        with Process(folder / "consume.log", port, KILLING_CONSUME, settings) as consumer:
            followed = server.send(encoded(scene(), "JPEG"), **FOLLOWED)
            assert followed.headers["x-correlation-id"] == "visit:17"
            server.answered(followed.json()["image_id"])
            assert server.send(b"text").status_code == 415
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as slow:
                slow.sendall(upload(encoded(scene(), "PNG"))[:-200])
                told.until(server, told.web_server, "rayhound_uploads_spooling")
            asyncio.run(publish_garbage(running.broker.url))
            told.until(consumer, told.consumer, "rayhound_dead_letters")
            poison = server.accepted(picture("hang", folder).read_bytes())
            told.until(consumer, told.consumer, "rayhound_oldest_request_seconds", "rayhound_analysers_replaced")
            assert server.answered(poison)["status"] == "failed"
            assert [scraped(process)["rayhound_ready"] for process in (server, consumer)] == [1, 1]
            running.broker.kill()
            server.accepted(encoded(scene(), "WEBP"))
            told.until(server, told.web_server, "rayhound_outbox_markers", "rayhound_outbox_oldest_seconds")
            told.until(consumer, told.consumer)
            assert [scraped(process)["rayhound_ready"] for process in (server, consumer)] == [1, 0]
            assert [check(process, "queue") for process in (server, consumer)] == [0, 0]
            assert [server.stop(), consumer.stop()] == [0, 0]
            told.lines = {p.log.stem: p.log.read_text().splitlines() for p in (server, consumer)}
    return told


async def publish_garbage(url: str) -> None:
    """Put a message into the queue that nobody can read."""
    async with channel_of(url) as channel:
        await channel.default_exchange.publish(aio_pika.Message(b"garbage"), "images")


def test_each_role_tells_every_metric_of_its_own_and_none_of_the_others(told: Told) -> None:
    for seen, own in ((told.web_server, telemetry.WEB_SERVER), (told.consumer, telemetry.CONSUMER)):
        metrics = {
            next(iter(metric.describe())).name
            for registry in (telemetry.EVERY_PROCESS, own)
            for metric in registry._collector_to_names
            if isinstance(metric, (Counter, Gauge, Histogram))
        }
        assert {name for name in seen if name.startswith("rayhound_")} == metrics
        assert not [name for name in metrics if not seen[name] > 0]
        assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"} <= seen.keys()


def test_in_json_every_line_is_one_object_and_what_is_about_an_image_has_its_correlation_id(told: Told) -> None:
    for name, lines in told.lines.items():
        events = [json.loads(line) for line in lines]
        assert {"image_id", "correlation_id"} <= {key for event in events for key in event}, name
        assert not [event for event in events if "image_id" in event and "correlation_id" not in event]
        assert all({"event", "level", "timestamp"} <= event.keys() for event in events)


def test_an_image_can_be_followed_by_its_correlation_id_and_by_its_trace(told: Told) -> None:
    events = [json.loads(line) for lines in told.lines.values() for line in lines]
    followed = [event for event in events if event.get("correlation_id") == "visit:17"]
    assert [event["event"] for event in followed] == ["accepted", "retrieved", "analysed"]
    assert {event.get("trace_id") for event in followed} == {TRACE}
    assert len([event for event in events if "trace_id" in event]) == 3


def test_one_process_shows_all_metrics_and_follows_a_trace(tmp_path: Path, free_port: int) -> None:
    with Up(tmp_path / "data", free_port) as up:
        up.answered(up.send(encoded(scene(), "JPEG"), **FOLLOWED).json()["image_id"])
        shown = scraped(up)
        assert shown["rayhound_images_accepted"] == shown["rayhound_deliveries_settled"] == 1
        assert shown["rayhound_ready"] == 1
    for event in ("accepted", "retrieved", "analysed"):
        assert [line["trace_id"] for line in up.events(event)] == [TRACE]


def test_what_keeps_a_part_from_starting_is_one_json_line(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAYHOUND_")}
    settings: dict[str, Any] = {"RAYHOUND_LOG_FORMAT": "json", "RAYHOUND_COLOUR": "blue"}
    done = subprocess.run(SERVE, env=kept | settings, capture_output=True, text=True, timeout=PATIENCE)
    unknown, stopped = (json.loads(line) for line in done.stderr.splitlines())
    assert (unknown["event"], unknown["name"]) == ("unknown_setting", "RAYHOUND_COLOUR")
    assert (stopped["event"], stopped["detail"]) == ("stopped", "RAYHOUND_ARCHIVE is not set")
    assert re.search("file:///", stopped["hint"])
    assert done.returncode == 1

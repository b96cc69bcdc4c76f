"""A queue that exists with other arguments, and the guide's way out of it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from rayhound.adapters.rabbitmq import Queues
from tests.guides import commands
from tests.journey.parts import in_folder, parts
from tests.journey.test_parts import until_unready
from tests.journey.upping import PATIENCE
from tests.pictures import encoded, scene
from tests.rabbits import channel_of


async def replace_by_a_classic_queue(url: str) -> None:
    """What somebody did who wanted another queue of that name."""
    async with channel_of(url) as channel:
        await channel.queue_delete(Queues().images)
        await channel.declare_queue(Queues().images, durable=True, arguments={"x-queue-type": "classic"})


def test_a_queue_with_other_arguments_is_named_and_the_guide_mends_it(tmp_path: Path) -> None:
    archive = in_folder(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAYHOUND_")}
    with parts(tmp_path, archive, web_servers=1, consumers=1, version="4.3") as running:
        [server], [consumer] = running.web_servers, running.consumers
        consumer.stop()
        ids = [server.accepted(encoded(scene((160 + number, 120)), "JPEG")) for number in range(5)]
        server.stop()
        asyncio.run(replace_by_a_classic_queue(running.broker.url))
        server.start()
        consumer.start()
        ids += [server.accepted(encoded(scene((160 + number, 120)), "JPEG")) for number in range(5, 10)]
        why = until_unready(consumer, "queue")
        assert "'x-" in why["detail"]
        assert "Migration" in why["hint"]
        assert {server.record(image_id)["status"] for image_id in ids} == {"queued"}
        for program, *arguments in commands("rabbitmq.md", "Migration"):
            if program == "rabbitmqctl":
                running.broker.ctl(*("/" if word == "rayhound" else word for word in arguments))
            else:
                typed = [sys.executable, "-m", program, *arguments]
                subprocess.run(typed, env=kept | archive, check=True, capture_output=True, timeout=PATIENCE)
        assert {server.answered(image_id, 4 * PATIENCE)["status"] for image_id in ids} == {"analysed"}

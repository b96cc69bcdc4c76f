"""The two queues: what both roles declare alike, so that it does not matter who comes first."""

from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Queues:
    """The names of the queue that requests wait in and of the one that their dead letters go to."""

    images: str = "images"
    dead: str = "images.dead"

    @property
    def images_arguments(self) -> dict[str, Any]:
        """What `images` is declared with (rabbitmq.com/docs/quorum-queues).

        A quorum queue is on disk before it confirms. At-least-once dead-lettering, which needs `reject-publish`, takes
        a message out only once the dead letters have it. Attempts are facts of ours, so the limit is a backstop.
        """
        return {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": "",  # the default exchange, which routes by the queue's name
            "x-dead-letter-routing-key": self.dead,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": 1000,
        }

    @property
    def dead_arguments(self) -> dict[str, Any]:
        """What `images.dead` is declared with: a limit, because RabbitMQ 4 drops what was looked at 20 times."""
        return {"x-queue-type": "quorum", "x-delivery-limit": 1000}

    async def declare(self, channel: AbstractChannel) -> None:
        """Make both, or find that they are there as they should be; the dead letters first, as they are pointed to."""
        for name, arguments in ((self.dead, self.dead_arguments), (self.images, self.images_arguments)):
            await channel.declare_queue(name, durable=True, arguments=arguments, timeout=ANSWER_SECONDS)

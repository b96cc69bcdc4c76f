"""Putting requests into the queue, and believing that one is there only once the broker has confirmed it."""

import asyncio
from types import TracebackType
from typing import Any, Self

from aio_pika import Message
from aio_pika.exceptions import ChannelInvalidStateError, DeliveryError, PublishError

from rayhound.adapters.rabbitmq import messages
from rayhound.adapters.rabbitmq.address import Address
from rayhound.adapters.rabbitmq.keeper import Keeper, Link
from rayhound.adapters.rabbitmq.queues import ANSWER_SECONDS, Queues
from rayhound.domain import InDoubt, RayhoundError, Request, Unavailable
from rayhound.ports import Published
from rayhound.telemetry import log

CONFIRM_SECONDS = 4.0
LOOK_SECONDS = 0.1


class RabbitPublisher:
    """A publisher that waits for nobody: while the broker is away or blocks, it says so at once."""

    def __init__(self, address: Address, queues: Queues | None = None) -> None:
        self._queues = queues or Queues()
        self._keeper = Keeper(address, "publisher", self._queues)

    async def __aenter__(self) -> Self:
        await self._keeper.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keeper.__aexit__(kind, error, trace)

    @property
    def trouble(self) -> RayhoundError | None:
        """Why there is no connection, if there is none."""
        return self._keeper.trouble

    async def publish(self, request: Request, marker: str) -> Published:
        """As `Publisher.publish`: kept, once the broker has it on disk. It does not lean on the marker."""
        message = messages.written(request)
        try:
            await self._send(await self._usable(), message)
        except PublishError:  # it was returned: nobody has the queue, so it was deleted behind our back
            log().warning("returned", queue=self._queues.images)
            await self.ping()
            try:
                await self._send(await self._usable(), message)
            except PublishError as e:
                raise Unavailable(f"the broker has no queue {self._queues.images}") from e
        return Published.KEPT

    def holds(self, marker: str) -> bool:
        """As `Publisher.holds`: a broker that keeps requests leans on no marker."""
        return False

    async def ping(self) -> None:
        """As `Publisher.ping`; declares the queues, so it finds them there or makes them."""
        link = await self._usable()
        try:
            await link.ask(self._queues.declare(link.channel), 3 * ANSWER_SECONDS)
        except Exception as e:
            raise Unavailable(f"the broker at {self._keeper.address} does not answer: {e}") from e

    async def _usable(self) -> Link:
        link = self._keeper.link
        if link is None:
            trouble = self._keeper.trouble
            detail = trouble.detail if trouble else f"the connection to {self._keeper.address} was just lost"
            raise Unavailable(detail, trouble.hint if trouble else "")
        if await link.blocked():
            raise Unavailable(
                f"the broker at {self._keeper.address} takes nothing: its memory or disk is short",
                "look at its alarms: docs/guides/rabbitmq.md, What to watch",
            )
        return link

    async def _send(self, link: Link, message: Message) -> None:
        """Send a message and wait for its confirm; raises `PublishError` when it was returned."""
        sending = asyncio.ensure_future(link.channel.default_exchange.publish(message, self._queues.images))
        clock = asyncio.get_running_loop().time
        deadline = clock() + CONFIRM_SECONDS
        try:
            while True:
                await asyncio.wait({sending}, timeout=LOOK_SECONDS)
                if sending.done():
                    break
                if await link.blocked():  # told only after the first message that the broker does not take
                    raise InDoubt(f"the broker at {self._keeper.address} stopped taking messages before it confirmed")
                if clock() >= deadline:
                    # A network that swallows everything is noticed by the heartbeat only half a minute later;
                    # until then every upload would wait in vain.
                    link.drop(f"no confirm within {CONFIRM_SECONDS} s")
                    raise InDoubt(f"the broker at {self._keeper.address} did not confirm in time")
        finally:
            sending.cancel()
        self._judge(sending)

    def _judge(self, sending: asyncio.Future[Any]) -> None:
        if sending.cancelled():  # aiormq cancels whoever waits on a connection that ends
            raise InDoubt(f"the connection to {self._keeper.address} was lost before the confirm")
        error = sending.exception()
        match error:
            case None | PublishError():
                sending.result()
            case ChannelInvalidStateError():  # found closed before anything was sent
                raise Unavailable(f"the connection to {self._keeper.address} was just lost") from error
            case DeliveryError():
                raise InDoubt(f"the broker at {self._keeper.address} refused to confirm: {error}") from error
            case _:
                raise InDoubt(f"the connection to {self._keeper.address} was lost before the confirm") from error

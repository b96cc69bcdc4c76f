"""Being lent requests, and giving each back in one of the three ways."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

from aio_pika.abc import AbstractIncomingMessage

from rayhound.adapters.rabbitmq import messages
from rayhound.adapters.rabbitmq.address import Address
from rayhound.adapters.rabbitmq.keeper import IDLE, Keeper, Link, answered
from rayhound.adapters.rabbitmq.queues import ANSWER_SECONDS, Queues
from rayhound.domain import RayhoundError, Request, Unavailable
from rayhound.ports import Delivery
from rayhound.telemetry import DEAD_LETTERS, log

IDLE_SECONDS = 60.0


class RabbitSubscriber:
    """A subscriber that waits for a broker that is away, for ever; `trouble` says why nothing comes.

    `prefetch` may be changed; the next `deliveries` keep to it.
    """

    def __init__(self, address: Address, prefetch: int, queues: Queues | None = None) -> None:
        self.prefetch = prefetch
        self._queues = queues or Queues()
        self._keeper = Keeper(address, "subscriber", self._queues)
        self._hand = _Hand()
        self._refused: RayhoundError | None = None

    async def __aenter__(self) -> Self:
        await self._keeper.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keeper.__aexit__(kind, error, trace)

    @property
    def trouble(self) -> RayhoundError | None:
        """Why nothing can come, if so; a queue with other arguments is `Misconfigured`, and the argument named."""
        return self._keeper.trouble or self._refused

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """As `Subscriber.deliveries`."""
        while True:
            link = await self._keeper.linked()
            if self._hand.link is not link:
                self._hand = _Hand(link)
            async with self._consuming(link) as inbox:
                while (message := await self._next(link, inbox)) is not None:
                    try:
                        request = messages.read(message.body, message.headers.get("traceparent"))
                    except ValueError as e:
                        await _reject_unreadable(message, e)
                        continue
                    self._hand.take()
                    yield _Lending(self._hand, message, request)

    async def _next(self, link: Link, inbox: "_Inbox") -> AbstractIncomingMessage | None:
        """The next message; none once the link is lost, or is given up because nothing came for a long time.

        RabbitMQ 3.10 does not tell a consumer of a quorum queue that was deleted and made anew at once: it counts as a
        consumer, and what is lent to it never arrives. Only a new channel ends that, and nothing in the protocol
        shows it; so whoever has had nothing in hand for a while begins anew, which costs the broker nothing.
        """
        while not inbox.ended:
            if (message := inbox.pick()) is not None:
                return message
            if not await inbox.changed(IDLE_SECONDS) and not self._hand.lent:
                link.drop(IDLE)
        return None

    @asynccontextmanager
    async def _consuming(self, link: Link) -> AsyncGenerator["_Inbox", None]:
        """Take messages from a link, until it is lost; what came and was not handed over is given back at the end."""
        inbox = _Inbox(self._hand, self.prefetch)
        link.lost.add_done_callback(lambda _: inbox.end())
        queue = await link.channel.get_queue(self._queues.images, ensure=False)
        try:
            # A limit for each consumer, not for the channel: a quorum queue knows no other.
            await answered(link.channel.set_qos(self.prefetch, timeout=ANSWER_SECONDS), 2 * ANSWER_SECONDS)
            tag = await answered(queue.consume(inbox.arrived, timeout=ANSWER_SECONDS), 2 * ANSWER_SECONDS)
        except Exception as e:
            why = f"the queue {self._queues.images} lends nothing: {str(e) or 'no answer'}"
            self._refused = Unavailable(why, "see docs/guides/rabbitmq.md, A queue without a leader")
            link.drop(why)
            yield inbox
            return
        self._refused = None
        try:
            yield inbox
        finally:
            if not link.lost.done():
                with suppress(Exception):
                    await answered(queue.cancel(tag, timeout=ANSWER_SECONDS), 2 * ANSWER_SECONDS)
                await inbox.give_back()


async def _reject_unreadable(message: AbstractIncomingMessage, error: ValueError) -> None:
    log().error("unreadable_request", message_id=message.message_id, why=str(error), fate="dead letter")
    with suppress(Exception):  # a lost connection: it is lent again
        await answered(message.reject(requeue=False), ANSWER_SECONDS)
        DEAD_LETTERS.inc()


class _Hand:
    """What is in hand of one link, over all its consumers."""

    def __init__(self, link: Link | None = None) -> None:
        self.link = link
        self.lent = 0
        self.changed = asyncio.Event()

    def take(self) -> None:
        self.lent += 1

    def lay_down(self) -> None:
        self.lent -= 1
        self.changed.set()


class _Inbox:
    """Messages that came and were not yet handed over."""

    def __init__(self, hand: _Hand, prefetch: int) -> None:
        self.ended = False
        self._hand = hand
        self._prefetch = prefetch
        self._waiting: deque[AbstractIncomingMessage] = deque()

    async def arrived(self, message: AbstractIncomingMessage) -> None:
        """A message comes."""
        self._waiting.append(message)
        self._hand.changed.set()

    @property
    def room(self) -> bool:
        """Whether one more may be handed over."""
        return self._hand.lent < self._prefetch

    def pick(self) -> AbstractIncomingMessage | None:
        """The next message, if one is there and there is room in the hand."""
        return self._waiting.popleft() if self._waiting and self.room else None

    async def changed(self, seconds: float) -> bool:
        """Wait until a message came, one was settled, or it ended; whether that was in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._hand.changed.wait()
        except TimeoutError:
            return False
        self._hand.changed.clear()
        return True

    def end(self) -> None:
        """Nothing more comes, and what came is lent again."""
        self.ended = True
        self._hand.changed.set()

    async def give_back(self) -> None:
        """Release what was not handed over."""
        while self._waiting:
            with suppress(Exception):  # a lost connection: it is lent again
                await answered(self._waiting.popleft().nack(requeue=True), ANSWER_SECONDS)


class _Lending:
    def __init__(self, hand: _Hand, message: AbstractIncomingMessage, request: Request) -> None:
        self.request = request
        self.lent_before = messages.lent_before(message)
        self._hand = hand
        self._message = message

    async def ack(self) -> None:
        await self._told("ack", self._message.ack())

    async def release(self) -> None:
        # Never `reject`: the broker counts that against the message on 4.3, and a nack it does not.
        await self._told("release", self._message.nack(requeue=True))

    async def reject(self) -> None:
        if await self._told("reject", self._message.reject(requeue=False)):
            DEAD_LETTERS.inc()

    async def _told(self, verb: str, telling: Awaitable[None]) -> bool:
        """Whether the broker could be told; if the connection is lost it cannot, and lends the request again."""
        self._hand.lay_down()
        try:
            await answered(telling, ANSWER_SECONDS)
        except Exception as e:
            log().info("lent_again", untold=verb, why=str(e) or "the connection is lost")
            return False
        return True

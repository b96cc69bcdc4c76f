"""A connection that is opened again whenever it is lost, from scratch: connection, channel, queues.

aio-pika's own `connect_robust` mends what it had instead, and may come back without a consumer (aio-pika#231).
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from rayhound.adapters.rabbitmq.address import Address
from rayhound.adapters.rabbitmq.queues import ANSWER_SECONDS, Queues
from rayhound.adapters.rabbitmq.troubles import check_broker, told
from rayhound.domain import RayhoundError, Unavailable
from rayhound.telemetry import log

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
HEARTBEAT_SECONDS = 10
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

IDLE = "idle"
"""Why a link is dropped that nothing is wrong with: it is opened again at once, and nobody is told."""

T = TypeVar("T")

# What they say of a lost connection, the keeper says in a line of its own; they would say it at every attempt.
for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


async def answered(work: Awaitable[T], seconds: float) -> T:
    """What the broker answers, within a time; raises `TimeoutError` or what went wrong.

    A connection that ends cancels, in aiormq, whoever waits for it; here that is an error like any other, and only
    the caller's own cancellation is one.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
    finally:
        task.cancel()
    if task.cancelled():
        raise ConnectionError("the connection was closed")
    return task.result()


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One connection with one channel; once `lost`, it is never used again."""

    connection: AbstractConnection
    channel: AbstractChannel
    lost: asyncio.Future[str]

    def drop(self, why: str) -> None:
        """Give it up: a new one is opened."""
        if not self.lost.done():
            self.lost.set_result(why)

    async def ask(self, question: Coroutine[Any, Any, T], seconds: float) -> T:
        """What the broker answers; a caller who gives up does not take the channel from the others, as in aiormq."""
        return await answered(asyncio.shield(asyncio.ensure_future(question)), seconds)

    async def blocked(self) -> bool:
        """Whether the broker has told that it takes nothing (`connection.blocked`: its memory or disk is short)."""
        transport = self.connection.transport
        try:
            async with asyncio.timeout(0):  # it is ready without waiting, or it is not
                if transport is not None:
                    await transport.ready()
        except TimeoutError:
            return True
        return False


class _Connection(aio_pika.Connection):
    """A connection that only its keeper closes: the finaliser of aio-pika complains when a thread happens to run it."""

    def __del__(self) -> None:
        pass


class Keeper:
    """Keeps a link for as long as it is open; `trouble` says why there is none, if there is none."""

    def __init__(self, address: Address, role: str, queues: Queues) -> None:
        self.address = address
        self.trouble: RayhoundError | None = Unavailable(f"the broker at {address} was not asked yet")
        self._role = role
        self._queues = queues
        self._link: Link | None = None
        self._arrived = asyncio.Event()
        self._tried = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        await self._tried.wait()  # a first attempt is short, and whoever comes next should not be told: not yet
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})

    @property
    def link(self) -> Link | None:
        """The link, while there is one."""
        return None if self._link is None or self._link.lost.done() else self._link

    async def linked(self) -> Link:
        """The link, as soon as there is one."""
        while (link := self.link) is None:
            await self._arrived.wait()
        return link

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                async with self._opened() as link:
                    self._found(link)
                    why = await link.lost
                    if why != IDLE:
                        self._missed(Unavailable(f"the connection to {self.address} was lost: {why}"))
                if why == IDLE:
                    continue
            except Exception as e:  # whatever it is, the process does not die because the broker does
                self._missed(told(e, self.address))
            lasted = clock() - began > LONGEST_PAUSE_SECONDS
            pause = FIRST_PAUSE_SECONDS if lasted else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # not all at once, when the broker is back

    def _found(self, link: Link) -> None:
        if self.trouble is not None:
            log().info("broker_connected", role=self._role, address=str(self.address))
        self._link, self.trouble = link, None
        self._tried.set()
        self._arrived.set()
        self._arrived = asyncio.Event()

    def _missed(self, trouble: RayhoundError) -> None:
        before, self.trouble, self._link = self.trouble, trouble, None
        if before is None or before.detail != trouble.detail:
            hint = trouble.hint or None
            log().warning("broker_away", role=self._role, why=trouble.detail, hint=hint)
        self._tried.set()

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Link, None]:
        connection = await answered(self._connect(), CONNECT_SECONDS + 1)
        try:
            yield await answered(self._prepared(connection), 4 * ANSWER_SECONDS)
        finally:
            with suppress(Exception):
                await answered(connection.close(), CLOSE_SECONDS)

    async def _connect(self) -> AbstractConnection:
        address = self.address
        context = await asyncio.to_thread(address.tls.context) if address.secure else None
        return await aio_pika.connect(
            host=address.host,
            port=address.port,
            login=address.login,
            password=address.secret,
            virtualhost=address.virtual_host,
            ssl=address.secure,
            ssl_context=context,
            timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            client_properties={"connection_name": f"rayhound {self._role}"},
            connection_class=_Connection,
        )

    async def _prepared(self, connection: AbstractConnection) -> Link:
        transport = connection.transport
        if transport is None:
            raise ConnectionError("the connection was closed")
        check_broker(dict(transport.connection.server_properties), self.address)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        link = Link(connection, channel, asyncio.get_running_loop().create_future())

        def closed(_: Any, error: BaseException | None = None) -> None:
            link.drop(" ".join(str(argument) for argument in error.args) if error and error.args else "it was closed")

        channel.close_callbacks.add(closed)
        connection.close_callbacks.add(closed)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda frame: link.drop("the broker cancelled the consumer"))
        await self._queues.declare(channel)
        return link

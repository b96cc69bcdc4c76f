"""A process that is told to stop."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from rayhound.wiring.process import told_to_stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    """What signals do in the tests is given back afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def stopped_by(*signals: signal.Signals) -> list[object]:
    """What went wrong in the loop while signals that come at once stop it."""
    wrong: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
    stopped = told_to_stop()
    for number in signals:
        os.kill(os.getpid(), number)
    await asyncio.wait_for(stopped, 30)
    await asyncio.sleep(0)
    return wrong


def test_two_signals_at_once_stop_it_as_one_does() -> None:
    assert asyncio.run(stopped_by(*SIGNALS)) == []

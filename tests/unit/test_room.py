"""How the archive's room is looked at while the archive stalls."""

import asyncio
import gc
from typing import Any

import pytest

from rayhound.adapters.memory import MemoryArchive
from rayhound.domain import InDoubt, Unavailable
from rayhound.ports import Storage
from rayhound.server import Room


class StallingArchive(MemoryArchive):
    """An archive whose ping fails once it is told to, and does not answer before."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = asyncio.Event()

    async def ping(self) -> Storage:
        """Fail, in the end."""
        await self.fails.wait()
        raise InDoubt("the archive does not answer")


def test_a_look_that_fails_after_everybody_lost_patience_is_no_error_of_ours() -> None:
    told: list[dict[str, Any]] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        archive = StallingArchive()
        room = Room(archive)
        with pytest.raises(Unavailable):
            await room.look(patience=0)
        archive.fails.set()
        await asyncio.sleep(0.01)
        del room
        gc.collect()

    asyncio.run(story())
    assert told == []

"""`rayhound serve` that stops its own process amid the first acceptance, an entry point of the tests' own: `… STEPS`.

It is `rayhound.wiring.serve.serve` on adapters that count what was done for the image of the first marker they put.
After so many of `STEPS` they send SIGSTOP to the process; 0 is before the first. Production has no such switch.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from rayhound.adapters.directory import DirectoryArchive
from rayhound.adapters.rabbitmq import RabbitPublisher
from rayhound.records import OUTBOX
from rayhound.settings import read
from rayhound.wiring.serve import serve

STEPS = ("marker", "image", "key", "accepted.json", "publish", "marker's deletion")
CALLS = ((DirectoryArchive, "put"), (RabbitPublisher, "publish"), (DirectoryArchive, "delete"))


class Pause:
    """Stops the process once, when so many steps of one acceptance are done."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._done = 0
        self._image_id = ""

    def amid(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The same method of an adapter, counted when it speaks of that image."""

        async def counted(adapter: Any, about: Any, *rest: Any) -> Any:
            if not self._image_id and str(about).startswith(OUTBOX):
                self._image_id = str(about).removeprefix(OUTBOX).partition(".")[0]
                self._stop_if_due()
            answer = await call(adapter, about, *rest)
            if self._image_id and self._image_id in f"{about} {rest}":
                self._done += 1
                self._stop_if_due()
            return answer

        return counted

    def _stop_if_due(self) -> None:
        if self._done == self._after:
            os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    pause = Pause(int(sys.argv[1]))
    for adapter, name in CALLS:
        setattr(adapter, name, pause.amid(getattr(adapter, name)))
    sys.exit(serve(read()))

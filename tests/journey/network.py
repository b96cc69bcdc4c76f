"""Proxies between processes, for tests that run in no event loop themselves."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.proxy import Proxy

T = TypeVar("T")

PATIENCE = 20.0


class Network:
    """Proxies in a thread of their own; their switches (`delay`, `black_hole`, `refusing`) may be set from any."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._proxies = AsyncExitStack()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._proxies.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            self._loop.close()

    def before(self, port: int) -> Proxy:
        """A new proxy before a port of this machine."""
        return self._run(self._proxies.enter_async_context(Proxy(port)))

    def cut(self, proxy: Proxy) -> None:
        """Cut every connection through a proxy."""
        self._run(proxy.cut())

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE)

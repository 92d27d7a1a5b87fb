"""``ModelThreads``: the threads that models run in.

Not ``concurrent.futures``: its threads are joined at the interpreter's exit, so that one model that hangs would keep
the process from ending. These are daemons; a hung one ends with the process.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple


class _Call(NamedTuple):
    future: asyncio.Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class ModelThreads:
    """Up to ``most`` threads, started when needed."""

    def __init__(self, most: int, *, name: str = "model") -> None:
        self._most = most
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._outstanding = 0

    def submit(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Call ``function`` in a thread. A future that is canceled before a thread is free is never called."""
        call = _Call(asyncio.get_running_loop().create_future(), function, arguments)
        with self._lock:
            self._outstanding += 1
            if self._outstanding > len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._calls.put(call)
        return call.future

    def close(self, timeout_s: float) -> bool:
        """End the threads that are idle or end in time; whether all did. Those that hang end with the process."""
        for _ in self._threads:
            self._calls.put(None)
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            result, error = None, None
            try:
                if not call.future.cancelled():
                    result = call.function(*call.arguments)
            except BaseException as raised:  # noqa: BLE001 whatever it is, the caller sees it
                error = raised
            with self._lock:
                self._outstanding -= 1
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                call.future.get_loop().call_soon_threadsafe(_deliver, call.future, result, error)
            del call, result, error


def _deliver(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


LEFT_AFTER_S = 2.0
"""How long a canceled ``in_thread`` waits for its thread."""


async def in_thread(function: Callable[[], Any], *, name: str) -> Any:
    """Call ``function`` in a thread of its own; one that hangs does not keep the process from ending.

    Canceled, it waits a moment for the thread all the same: an interpreter that ends while a library in C is being
    imported aborts.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def call() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 whatever it is, the caller sees it
            error = raised
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_deliver, future, result, error)

    threading.Thread(target=call, name=name, daemon=True).start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(lambda ended: ended.exception())  # seen: nobody asks for it any more
        await asyncio.wait([future], timeout=LEFT_AFTER_S)
        raise

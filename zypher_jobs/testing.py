"""Public helpers for tests of Zypher and of models served by it."""

import asyncio
import inspect
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import msgspec

from zypher_jobs.models.discovery import python_runtime
from zypher_jobs.models.model import Model
from zypher_jobs.models.once import predict_once
from zypher_jobs.models.served import ServedModel

T = TypeVar("T")


def predict(model_class: type[Model[Any, Any]], input: Any, *, timeout_s: float = 60) -> Any:
    """What a caller of the model would get for an input, both as plain values: dicts, lists, strings, numbers.

    The class is checked, loaded, run and let go of, as it is when it is served, but without server and queue. Raises
    ``ModelDefinitionError``, ``InvalidInput``, ``ModelNotReady``, ``ModelError``, ``PredictionTimeout``.
    """
    served = ServedModel(python_runtime(model_class))
    return msgspec.json.decode(asyncio.run(predict_once(served, msgspec.json.encode(input), timeout_s=timeout_s)))


async def wait_until(condition: Callable[[], T | Awaitable[T]], *, timeout_s: float = 10, every_s: float = 0.01) -> T:
    """The first true value of ``condition``, a function or coroutine function; ``TimeoutError`` after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        result = cast("T", await value if inspect.isawaitable(value) else value)
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {timeout_s:g} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(every_s)


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

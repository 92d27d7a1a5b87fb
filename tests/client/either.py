"""Both clients behind one face, so that each test is written once and holds for the two."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any, cast

from zypher_api.client import AsyncClient, Client, Handle

_ITERATES = ("stream", "list", "events")


class InThreads:
    """A blocking client, or a handle of one: what it does, it does in a thread."""

    def __init__(self, blocking: Any) -> None:
        self._blocking = blocking

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._blocking, name)
        if not callable(found):
            return found

        def iterate(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
            return _pulled(cast("Generator[Any]", found(*arguments, **options)))

        async def call(*arguments: Any, **options: Any) -> Any:
            return _faced(await asyncio.to_thread(found, *arguments, **options))

        def at_once(*arguments: Any, **options: Any) -> Any:
            return _faced(found(*arguments, **options))

        return iterate if name in _ITERATES else at_once if name == "handle" else call


def _faced(result: Any) -> Any:
    if isinstance(result, list):
        return [_faced(each) for each in cast("list[Any]", result)]
    return InThreads(result) if isinstance(result, Handle) else result


async def _pulled(iterator: Generator[Any]) -> AsyncGenerator[Any]:
    try:
        while (value := await asyncio.to_thread(next, iterator, InThreads)) is not InThreads:
            yield value
    finally:
        await asyncio.to_thread(iterator.close)


@asynccontextmanager
async def calling(kind: str, url: str, **options: Any) -> AsyncGenerator[Any]:
    """A client of the kind ``blocking`` or ``awaiting``."""
    if kind == "awaiting":
        async with AsyncClient(url, **options) as client:
            yield client
    else:
        with Client(url, **options) as client:
            yield InThreads(client)

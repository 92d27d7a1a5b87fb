"""A proxy between one process and Redis that cuts, delays and swallows what flows."""

import asyncio
import contextlib
from pathlib import Path

CHUNK_BYTES = 65_536


class Proxy:
    """Passes bytes on between a unix socket of its own and the server's."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self.delay_s = 0.0
        """How late each piece arrives, either way."""
        self.swallows_replies = False
        """The server acts on what it is told, and its caller never hears of it."""
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._accept, self.path)

    async def close(self) -> None:
        """End every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.release()
        while self._tasks:
            self.cut()
            await asyncio.wait(self._tasks, timeout=0.1)

    def cut(self) -> None:
        """End every connection at once, with whatever was on its way."""
        for writer in list(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through, and say nothing: a network that is gone."""
        self._flowing.clear()

    def release(self) -> None:
        """Let everything through again."""
        self._flowing.set()

    def mend(self) -> None:
        """Let everything through at once and both ways."""
        self.delay_s, self.swallows_replies = 0.0, False
        self.release()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                their_reader, their_writer = await asyncio.open_unix_connection(self._target)
                self._writers.add(their_writer)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._pass_on(reader, their_writer, replies=False))
                        group.create_task(self._pass_on(their_reader, writer, replies=True))
                finally:
                    self._writers.discard(their_writer)
                    their_writer.transport.abort()
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        # RuntimeError: how uvloop says that it was cut
        with contextlib.suppress(OSError, RuntimeError):
            while piece := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if replies and self.swallows_replies:
                    continue
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()  # the other direction ends too

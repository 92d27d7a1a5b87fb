"""A server of the Open Inference Protocol v2 that a test scripts: raw HTTP, so that it may also break the rules."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.runtimes.from_manifest import runtime_of
from zypher_jobs.testing import free_port

TRITON = {
    "name": "sums",
    "versions": ["1"],
    "platform": "onnxruntime_onnx",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "sum", "datatype": "FP32", "shape": [-1, 1]}],
}


class Asked(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """All of the body, or what stands before the tensors."""
        length = self.headers.get("inference-header-content-length")
        return json.loads(self.body[: int(length)] if length else self.body)


def reply(body: Any = b"", status: int = 200, **headers: str) -> bytes:
    """A whole answer; what is not bytes goes as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def sums(asked: Asked) -> bytes:
    """The right answer in JSON: the sum of each row."""
    (tensor,) = asked.json["inputs"]
    rows, columns = tensor["shape"]
    values = [sum(tensor["data"][row * columns : (row + 1) * columns]) for row in range(rows)]
    output = {"name": "sum", "datatype": "FP32", "shape": [rows, 1], "data": values}
    return reply({"model_name": "sums", "outputs": [output]})


class ScriptedServer:
    """Answers as it is told."""

    def __init__(self, metadata: dict[str, Any] | None = None, extensions: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked: list[Asked] = []
        self.inferred: list[Asked] = []
        self.connections = 0
        self.lost = 0
        """Connections that a client closed while it waited for an answer."""
        self.infer: Callable[[Asked], bytes | None] = sums
        """``None``: it never answers; no bytes: it closes the connection instead."""
        self.answers: dict[str, bytes] = {
            "/v2": reply({"name": "triton", "version": "2", "extensions": list(extensions)}),
            "/v2/models/sums": reply(metadata or TRITON),
            "/v2/models/sums/ready": reply(),
        }
        self.closes = False
        """Whether it closes its connection behind an answer to ``infer``."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen on its port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Refuse connections, and end those there are."""
        if self._server is not None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        try:
            while asked := await self._read(reader):
                self.asked.append(asked)
                answer = self.answers.get(asked.path)
                if asked.path.endswith("/infer"):
                    self.inferred.append(asked)
                    answer = self.infer(asked)
                if answer is None and asked.path.endswith("/infer"):
                    if not await reader.read(1):
                        self.lost += 1
                    return
                if answer == b"":
                    return
                writer.write(answer or reply({"error": f"nothing at {asked.path}"}, 404))
                await writer.drain()
                if self.closes and asked.path.endswith("/infer"):
                    return
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Asked | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
        except asyncio.IncompleteReadError:  # the client has gone
            return None


@asynccontextmanager
async def scripted(
    metadata: dict[str, Any] | None = None, extensions: tuple[str, ...] = ()
) -> AsyncGenerator[ScriptedServer]:
    """One that listens until the block is left."""
    server = ScriptedServer(metadata, extensions)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def served_by(server: ScriptedServer, **manifest: Any) -> AsyncGenerator[ServedModel]:
    """The model ``sums`` of a server, loaded if that is there."""
    described: dict[str, Any] = {"name": "sums", "runtime": "remote", "url": server.url, **manifest}
    registry = ModelRegistry()
    served = registry.add_runtime(runtime_of(ModelManifest(**described), Path()))
    await registry.load_all()
    try:
        yield served
    finally:
        await registry.close()

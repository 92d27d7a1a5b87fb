"""HTTP load on one path: ``wrk`` where it is installed, else a client of our own on bare sockets."""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec
import uvloop


class Measured(msgspec.Struct, frozen=True):
    """One round."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float


class BadAnswer(Exception):
    """The server answered something other than what was expected."""


def generator() -> str:
    """What makes the load here."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def post(
    port: int,
    path: str,
    body: bytes,
    *,
    connections: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    status: int = 200,
) -> Measured:
    """POST ``body`` over and over; raises ``BadAnswer`` when an answer has another status (with ``wrk``: no 2xx)."""
    headers = {"content-type": "application/json", **(headers or {})}
    if generator() == "wrk":
        return _wrk(port, path, body, headers, connections=connections, seconds=seconds)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_sockets(port, request, status, connections=connections, seconds=seconds))


def _wrk(
    port: int, path: str, body: bytes, headers: Mapping[str, str], *, connections: int, seconds: float
) -> Measured:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "post.lua"
        lines = [f"wrk.headers[{_quoted(name)}] = {_quoted(value)}" for name, value in headers.items()]
        script.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = {_quoted(body.decode())}", *lines]))
        out = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"),
                *("-s", str(script), f"http://127.0.0.1:{port}{path}"),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise BadAnswer(out)
    return Measured(
        requests=int(_find(r"(\d+) requests in", out)),
        per_second=float(_find(r"Requests/sec:\s+([\d.]+)", out)),
        p50_ms=_milliseconds(_find(r"\n\s+50%\s+(\S+)", out)),
        p99_ms=_milliseconds(_find(r"\n\s+99%\s+(\S+)", out)),
    )


def _quoted(text: str) -> str:
    """As Lua has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise BadAnswer(text)
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = float(text.rstrip("mus")), text.lstrip("0123456789.")
    return number * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


class _Client(asyncio.Protocol):
    """One connection that always has one request under way."""

    def __init__(self, request: bytes, status: int, latencies_s: list[float]) -> None:
        self.error: BadAnswer | None = None
        self._request = request
        self._expected = b"HTTP/1.1 %d" % status
        self._latencies_s = latencies_s
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count a whole answer and send the next request."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(self._expected):
            self.error = BadAnswer(head.decode(errors="replace"))
            return
        length = re.search(rb"content-length: (\d+)", head)
        if length is not None and len(body) >= int(length[1]):
            self._received = b""
            self._latencies_s.append(time.perf_counter() - self._sent_at)
            self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request)


async def _sockets(port: int, request: bytes, status: int, *, connections: int, seconds: float) -> Measured:
    loop = asyncio.get_running_loop()
    latencies_s: list[float] = []
    started = time.perf_counter()
    made = [
        await loop.create_connection(lambda: _Client(request, status, latencies_s), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    elapsed_s = time.perf_counter() - started
    for transport, client in made:
        transport.abort()
        if client.error is not None:
            raise client.error
    latencies_s.sort()
    count = len(latencies_s)
    return Measured(
        requests=count,
        per_second=count / elapsed_s,
        p50_ms=latencies_s[count // 2] * 1000,
        p99_ms=latencies_s[count * 99 // 100] * 1000,
    )

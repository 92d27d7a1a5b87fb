"""A model's own process: ``python -m zypher_jobs.models.runtimes.child``, started by ``children``.

It runs one call of the model at a time, as ``PythonRuntime`` does anywhere, and speaks in ``frames`` over the socket
that it was given. Nothing else uses that socket: what the model prints goes to standard error. It ends when its parent
does, even while the model holds the GIL.
"""

import asyncio
import contextlib
import ctypes
import faulthandler
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import reduce
from pathlib import Path
from typing import Any, NoReturn, cast

import msgspec

from zypher_jobs import logs
from zypher_jobs.errors import ModelError, PredictionFailed, ZypherError
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import define
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.runtimes.frames import (
    Cancel,
    Chunk,
    ClassPlace,
    Done,
    Failed,
    Frames,
    FromChild,
    FromParent,
    Hello,
    Loaded,
    Log,
    ManifestPlace,
    NotLoaded,
    Progress,
    Run,
    frame_of,
)
from zypher_jobs.models.runtimes.from_manifest import runtime_of
from zypher_jobs.models.runtimes.python import PythonRuntime
from zypher_jobs.settings import Settings

UNLOAD_S = 3.0
"""How long ``unload`` may take once the parent lets this process go."""
_PR_SET_PDEATHSIG = 1
_MORE_LIKELY_KILLED = "500"

log = logging.getLogger("zypher.models")

_encode = msgspec.msgpack.Encoder().encode


class Channel:
    """The socket: read on the event loop, written to from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection  # blocking: a model that says more than its parent reads waits for it
        self._frames = Frames[FromParent](FromParent)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Its file descriptor."""
        return self._socket.fileno()

    def send(self, message: FromChild) -> None:
        """Say it; what a parent that is gone cannot hear is nobody's loss."""
        frame = frame_of(message)
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(frame)

    def receive(self) -> list[FromParent] | None:
        """What has come, waiting for some of it; ``None`` when the parent is gone."""
        with contextlib.suppress(OSError):
            if data := self._socket.recv(self._frames.wanted):
                return list(self._frames.take(data))
        return None


class Teller:
    """A ``Listener`` that passes on to the parent's."""

    def __init__(self, channel: Channel, number: int, index: int) -> None:
        self._channel = channel
        self._number = number
        self._index = index

    def progress(self, fraction: float, message: str) -> None:
        """See ``Listener``."""
        self._channel.send(Progress(self._number, self._index, fraction, message))

    def log(self, line: str) -> None:
        """See ``Listener``."""
        self._channel.send(Log(self._number, self._index, line))

    def chunk(self, output: Any) -> None:
        """See ``Listener``."""
        self._channel.send(Chunk(self._number, self._index, msgspec.Raw(_encode(output))))


class ModelServer:
    """Runs what the parent asks for until it is gone."""

    def __init__(self, channel: Channel, runtime: Runtime) -> None:
        self._channel = channel
        self._runtime = runtime
        self._decode = msgspec.msgpack.Decoder[Any](runtime.definition.input_type).decode
        self._number = 0
        self._calls: list[Call] = []
        self._task: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()

    async def serve(self) -> None:
        """Warm up, then serve; raises what the warm-up raises."""
        definition = self._runtime.definition
        if definition.has_own_example:
            example = msgspec.convert(definition.input_example, definition.input_type)
            await self._runtime.run([Call(example, timeout_s=definition.load_timeout_s)])
        self._channel.send(Loaded())
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._read)
        await self._gone.wait()
        threading.Thread(target=_end_soon, daemon=True).start()
        for call in self._calls:
            call.cancel()

    def _read(self) -> None:
        messages = self._channel.receive()
        if messages is None:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._gone.set()
            return
        for message in messages:
            if isinstance(message, Run):
                self._task = asyncio.create_task(self._run(message))
            elif isinstance(message, Cancel) and message.number == self._number:
                self._calls[message.index].cancel()

    async def _run(self, run: Run) -> None:
        self._number = run.number
        self._calls = []
        try:
            for index, (facts, packed) in enumerate(zip(run.calls, run.inputs, strict=True)):
                self._calls.append(
                    Call(
                        self._decode(packed),
                        timeout_s=facts.timeout_s,
                        prediction_id=facts.prediction_id,
                        attempt=facts.attempt,
                        trace=facts.trace,
                        listener=Teller(self._channel, run.number, index),
                    )
                )
            outputs = [self._packed(output) for output in await self._runtime.run(self._calls)]
        except PredictionFailed as error:
            self._channel.send(self._failed(error))
        except Exception as error:  # noqa: BLE001 whatever it is, those who wait for it see it
            self._channel.send(self._failed(ModelError(f"{type(error).__name__}: {error}")))
        else:
            self._channel.send(Done(run.number, outputs))

    def _packed(self, output: Any) -> msgspec.Raw:
        try:
            return msgspec.Raw(_encode(output))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            name = self._runtime.definition.name
            raise ModelError(f"Model {name!r} returned what MessagePack cannot hold: {error}.") from error

    def _failed(self, error: PredictionFailed) -> Failed:
        may_pass = isinstance(error.__cause__, self._runtime.definition.retries.retry_on)
        return Failed(self._number, error.code, error.message, error.traceback, may_pass)


def main(fd: int, trace_fd: int, parent_pid: int) -> None:
    """Serve over the socket ``fd`` until it ends; where it crashed is written to the file ``trace_fd``."""
    _die_with(parent_pid)
    for each in (fd, trace_fd):
        os.set_inheritable(each, False)  # what the model starts shall not hold it
    faulthandler.enable(trace_fd)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave_it_to_the_parent)
    with contextlib.suppress(OSError):  # where memory is short, the system shall end this and not the worker
        Path("/proc/self/oom_score_adj").write_text(_MORE_LIKELY_KILLED, encoding="ascii")
    channel = Channel(socket.socket(fileno=fd))
    hello = _hello(channel)
    if hello is not None:
        _serve(channel, hello)


def _serve(channel: Channel, hello: Hello) -> NoReturn:
    sys.path[:] = hello.path
    place = hello.model
    name = f"{place.module}:{place.qualname}" if isinstance(place, ClassPlace) else place.manifest.name
    logs.configure(Settings(log_level=cast("Any", hello.log_level)), part=f"model {name}")
    try:
        runtime = _runtime(place)
        runtime.load()
        asyncio.run(ModelServer(channel, runtime).serve())
        runtime.unload()
    except BaseException as error:
        log.exception("the model's process ends")
        channel.send(NotLoaded(error.message if isinstance(error, ZypherError) else f"{type(error).__name__}: {error}"))
        os._exit(1)
    os._exit(0)  # not by way of the interpreter's end, which waits for what the model started


def _runtime(place: ClassPlace | ManifestPlace) -> Runtime:
    if isinstance(place, ManifestPlace):
        here = msgspec.structs.replace(place.manifest, isolation="thread", memory_limit_mb=None)
        return runtime_of(here, Path(place.directory))
    model_class: Any = reduce(getattr, place.qualname.split("."), importlib.import_module(place.module))
    return PythonRuntime(model_class, define(model_class))


def _hello(channel: Channel) -> Hello | None:
    while (messages := channel.receive()) is not None:
        for message in messages:
            if isinstance(message, Hello):
                return message
    return None


def _die_with(parent_pid: int) -> None:
    """On Linux the system ends this process with its parent; elsewhere the socket's end does, a little later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def _leave_it_to_the_parent(*_: object) -> None:
    """A signal to everything at once: the parent drains, and ends this when it has drained."""


def _end_soon() -> None:
    time.sleep(UNLOAD_S)
    os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))

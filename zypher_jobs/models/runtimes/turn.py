"""``Turn``: one run of a model in one of its processes, from the wait for a free one to the outputs or the end."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from zypher_jobs.errors import (
    ModelCrashed,
    ModelError,
    ModelNotReady,
    OutOfMemory,
    PredictionCanceled,
    PredictionFailed,
    PredictionTimeout,
)
from zypher_jobs.models.call import Call
from zypher_jobs.models.runtimes.children import Children
from zypher_jobs.models.runtimes.frames import (
    CallFacts,
    Cancel,
    Chunk,
    Done,
    Failed,
    FromChild,
    Log,
    Progress,
    Run,
    frame_of,
)
from zypher_jobs.models.runtimes.spawned import LOOK_S, Child

CANCEL_GRACE_S = 0.5
"""How long a model has to look at ``context.check()`` once nobody wants its output any more."""
_FAILURES: dict[str, type[PredictionFailed]] = {
    each.code: each for each in (ModelError, PredictionTimeout, PredictionCanceled)
}


class Turn:
    """To be made and awaited on the event loop; ``begin`` and ``refuse`` may come from any thread."""

    def __init__(
        self,
        calls: Sequence[Call],
        inputs: list[msgspec.Raw],
        children: Children,
        *,
        output_of: Callable[[msgspec.Raw], Any],
        chunk_of: Callable[[msgspec.Raw], Any],
    ) -> None:
        self._calls = calls
        self._inputs = inputs
        self._children = children
        self._output_of = output_of
        self._chunk_of = chunk_of
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[list[Any]] = self._loop.create_future()
        self._child: Child | None = None
        self._asked_s: float | None = None
        """Since when it waits for a child; ``None``: one was free."""
        self._number = 0
        self._unsent = bytearray()
        self._is_writing = False
        self._kill_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None

    async def outputs(self) -> list[Any]:
        """Of all calls. Raises what the model raised, ``ModelCrashed``, ``OutOfMemory`` or ``ModelNotReady``."""
        for index, call in enumerate(self._calls):
            call.when_canceled(partial(self._in_loop, self._canceled, index))
        self._ask()
        try:
            return await self._end
        except asyncio.CancelledError:  # the whole batch, as when the loop ends
            self._give_up("nobody waits for it any more")
            raise

    def begin(self, child: Child) -> None:
        """See ``Taker``."""
        self._in_loop(self._begin, child)

    def refuse(self, error: ModelNotReady) -> None:
        """See ``Taker``."""
        self._in_loop(self._finish, error)

    def _in_loop(self, function: Callable[..., object], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)

    def _ask(self) -> None:
        try:
            child = self._children.take(self)
        except ModelNotReady as error:
            self._finish(error)
        else:
            if child is not None:
                self._begin(child)
            elif self._asked_s is None:
                self._asked_s = time.monotonic()

    def _begin(self, child: Child) -> None:
        if self._end.done():
            self._children.give(child)
            return
        if not child.hold(partial(self._in_loop, self._died)):
            self._ask()
            return
        self._child = child
        if self._asked_s is not None and not child.runs:  # else it was busy, not starting
            for call in self._calls:
                call.load_ms += (time.monotonic() - self._asked_s) * 1000
        child.runs += 1
        self._number = child.runs
        self._loop.add_reader(child.socket.fileno(), self._read)
        facts = [CallFacts(call.prediction_id, call.attempt, call.remaining_s, call.trace) for call in self._calls]
        self._write(frame_of(Run(self._number, facts, self._inputs)))
        for index, call in enumerate(self._calls):
            if call.canceled:
                self._canceled(index)
        if child.definition.memory_limit_mb is not None:
            self._look_timer = self._loop.call_later(LOOK_S, self._look)

    def _canceled(self, index: int) -> None:
        if self._end.done():
            return
        is_wanted = not all(call.canceled for call in self._calls)
        if self._child is None:
            if not is_wanted:
                self._children.forget(self)
                self._finish(PredictionCanceled("The prediction was canceled."))
            return
        self._write(frame_of(Cancel(self._number, index)))
        if not is_wanted and self._kill_timer is None:
            self._kill_timer = self._loop.call_later(CANCEL_GRACE_S, self._kill_unwanted)

    def _kill_unwanted(self) -> None:
        late = next((call for call in self._calls if call.remaining_s == 0), None)
        error = PredictionCanceled("The prediction was canceled.") if late is None else late.timed_out(self._name)
        self._give_up("it went on past its deadline" if late else "it went on though it was canceled", error)

    def _look(self) -> None:
        child = self._child
        if child is not None:
            try:
                child.check_memory()
            except OutOfMemory as error:
                self._finish(error, keeps_child=False)
            else:
                self._look_timer = self._loop.call_later(LOOK_S, self._look)

    def _write(self, frame: bytearray) -> None:
        self._unsent = self._unsent + frame if self._unsent else frame
        if not self._is_writing:
            self._send()

    def _send(self) -> None:
        """As much as the socket takes; the rest when it takes more."""
        child = self._child
        if child is None:
            return
        try:
            while self._unsent:
                del self._unsent[: child.socket.send(self._unsent)]
        except BlockingIOError:
            if not self._is_writing:
                self._is_writing = True
                self._loop.add_writer(child.socket.fileno(), self._send)
            return
        except OSError:
            self._unsent.clear()  # it is dead, as we shall hear
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(child.socket.fileno())

    def _read(self) -> bool:
        """Read once, so that a child that says much cannot hold the loop; whether there may be more."""
        child = self._child
        if child is None:
            return False
        try:
            data = child.socket.recv(child.frames.wanted)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(child.socket.fileno())
            child.kill("")  # if that is not what it died of: nobody could hear it any more
            return False
        try:
            for message in child.frames.take(data):
                self._hear(message)
        except msgspec.DecodeError as error:
            self._give_up(
                "it broke the protocol", ModelCrashed(f"Model {self._name!r} said what cannot be read: {error}.")
            )
        return not self._end.done()

    def _hear(self, message: FromChild) -> None:
        if getattr(message, "number", None) != self._number or self._end.done():
            return
        try:
            self._act_on(message)
        except msgspec.ValidationError as error:
            failure = ModelError(f"Model {self._name!r} returned what its output type does not allow: {error}.")
            if isinstance(message, Done):
                self._finish(failure)
            else:
                self._give_up("its output does not fit its type", failure)
        except PredictionFailed as error:  # of the listener: a piece that cannot be told
            self._give_up("its output cannot be told", error)

    def _act_on(self, message: FromChild) -> None:
        match message:
            case Progress():
                self._calls[message.index].listener.progress(message.fraction, message.message)
            case Log():
                self._calls[message.index].listener.log(message.line)
            case Chunk():
                self._calls[message.index].listener.chunk(self._chunk_of(message.output))
            case Done():
                self._finish([self._output_of(packed) for packed in message.outputs])
            case Failed():
                failure = _FAILURES.get(message.code, PredictionFailed)
                facts = {"code": message.code, "traceback": message.traceback}
                self._finish(failure(message.message, **facts, may_pass=message.may_pass))
            case _:
                pass

    def _died(self) -> None:
        """Its process has ended; what it said before that still counts."""
        child = self._child
        if child is None:
            return
        while self._read():
            pass
        if not self._end.done():
            crash = ModelCrashed(f"Model {self._name!r} crashed: {child.end}.", traceback=child.trace)
            self._finish(crash, keeps_child=False)

    def _give_up(self, why: str, error: Exception | None = None) -> None:
        if self._child is None:
            self._children.forget(self)
        else:
            self._child.kill(why)
        self._finish(error, keeps_child=False)

    def _finish(self, end: list[Any] | Exception | None, *, keeps_child: bool = True) -> None:
        for timer in (self._kill_timer, self._look_timer):
            if timer is not None:
                timer.cancel()
        if self._child is not None:
            self._leave(self._child, keeps_child=keeps_child)
        if self._end.done():
            return
        if isinstance(end, Exception):
            self._end.set_exception(end)
        elif end is not None:
            self._end.set_result(end)

    def _leave(self, child: Child, *, keeps_child: bool) -> None:
        self._child = None
        self._loop.remove_reader(child.socket.fileno())
        if self._unsent:
            child.kill("it did not read what it was told")
            keeps_child = False
        if self._is_writing:
            self._loop.remove_writer(child.socket.fileno())
        if keeps_child:
            try:
                child.check_memory()  # what has grown too large is replaced between two runs
            except OutOfMemory:
                keeps_child = False
        child.let_go()
        if keeps_child:
            self._children.give(child)

    @property
    def _name(self) -> str:
        return self._children.name

"""``ServedModel``: one model as the API and the worker hold it: decode, run, encode."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from zypher_jobs.contracts.model import BatchingInfo, ModelInfo
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import (
    InvalidInput,
    MalformedInput,
    ModelError,
    ModelNotReady,
    Overloaded,
    Unavailable,
    ZypherError,
)
from zypher_jobs.models.again import Again
from zypher_jobs.models.batcher import Batcher
from zypher_jobs.models.cache import ResultCache
from zypher_jobs.models.call import NOBODY, Call, Listener
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.doorkeeper import Doorkeeper
from zypher_jobs.models.runtimes import Reconnecting, Restarting, Runtime
from zypher_jobs.models.runtimes.threads import in_thread
from zypher_jobs.models.sentences import invalid_input
from zypher_jobs.models.tensors import TensorForm

WARM_UP_TIMEOUT_S = 300
_LOOK_S = 0.01
_LOADING = "it is still loading"
_ASLEEP = "it has left memory and is loaded at its next call"
LONGEST_EXAMPLE_CHARS = 300
"""Of an example inside an error's sentence."""

_encoder = msgspec.json.Encoder()


class Shadow(Protocol):
    """Runs another version on what this one answered, and compares; see ``zypher_jobs.models.shadow``."""

    def compare(self, input: Any, output: Any, *, took_s: float) -> None:
        """Takes a copy; at once, whatever becomes of it."""
        ...


class ServedModel:
    """One version of a model, loaded or not."""

    __slots__ = (
        "_again",
        "_answer",
        "_decode",
        "_down",
        "_lock",
        "_run",
        "_runtime",
        "_tensors",
        "batcher",
        "cache",
        "definition",
        "door",
        "error",
        "failure",
        "header",
        "input_type",
        "name",
        "output_type",
        "retries",
        "running",
        "shadow",
        "used_s",
        "version",
    )

    def __init__(self, runtime: Runtime, *, asleep: bool = False) -> None:
        """``asleep``: it is loaded at its first call, or by ``load``."""
        definition = runtime.definition
        self.name: str = definition.name
        self.version: str = definition.version
        self.header = (b"model-version", definition.reference.encode())
        """What says over HTTP which version gave an answer."""
        self.error: str | None = _ASLEEP if asleep else _LOADING
        """Why it cannot predict; ``None`` when ready."""
        self.running = 0
        """Calls under way."""
        self.used_s = time.monotonic()
        """When it was last called, on ``time.monotonic``'s clock."""
        self.shadow: Shadow | None = None
        """Gets a copy of what it answered."""
        self.door = Doorkeeper()
        """Knows whether more is asked of it than it can do."""
        self._lock = asyncio.Lock()
        self.failure: BaseException | None = None
        """What the last ``load`` raised."""
        self._runtime = runtime
        self._down: str | None = None
        if isinstance(runtime, Restarting):
            runtime.when_down(self._went_down)
        self._again: Again | None = None
        if isinstance(runtime, Reconnecting):
            self._again = Again(self._loads)
            runtime.when_away(self._went_away)
        self._define(definition)

    def _define(self, definition: ModelDefinition) -> None:
        """Be what the definition says: at first, and when its runtime has learned more of it."""
        self.definition = definition
        self.retries = definition.retries
        self.input_type: Any = definition.input_type
        self.output_type: Any = definition.output_type
        self._tensors: TensorForm | None = None
        self.batcher: Batcher | None = None
        """Where its predictions meet; ``None`` where each runs at once."""
        if definition.concurrency is None:
            self._run: Callable[[Call], Awaitable[Any]] = self._run_directly
        else:
            self.batcher = Batcher(
                self._runtime.run,
                name=definition.name,
                max_batch_size=definition.max_batch_size,
                max_wait_ms=definition.max_wait_ms,
                concurrency=definition.concurrency,
            )
            self._run = self.batcher.run
        self._answer = self._run
        self.cache: ResultCache | None = None
        """Of its outputs; ``None`` where each input is run."""
        if definition.cache_s and not definition.streams:
            self.cache = ResultCache(
                self._run_if_room,
                name=definition.name,
                input_type=definition.input_type,
                lifetime_s=definition.cache_s,
                most_bytes=definition.cache_mb * 1024 * 1024,
            )
            self._answer = self.cache.run
        self._decode = msgspec.json.Decoder[Any](definition.input_type).decode

    @property
    def ready(self) -> bool:
        """Whether it can predict."""
        return self.error is None

    @property
    def loading(self) -> bool:
        """Whether it has not been loaded yet."""
        return self.error is _LOADING

    @property
    def asleep(self) -> bool:
        """Whether it has left memory, to be loaded at its next call."""
        return self.error is _ASLEEP

    @property
    def tensors(self) -> TensorForm:
        """Its inputs and outputs as tensors."""
        if self._tensors is None:
            self._tensors = TensorForm(self.definition)
        return self._tensors

    @property
    def info(self) -> ModelInfo:
        """What it says of itself."""
        definition = self.definition
        return ModelInfo(
            name=definition.name,
            version=definition.version,
            description=definition.description,
            ready=self.ready or self.asleep,
            error=None if self.asleep else self.error,
            input_schema=definition.input_schema,
            output_schema=definition.output_schema,
            input_example=definition.input_example,
            output_example=definition.output_example,
            batching=self.batching,
        )

    @property
    def batching(self) -> BatchingInfo | None:
        """Its batches so far; ``None`` where it makes none."""
        batcher = self.batcher
        return batcher and BatchingInfo(
            max_batch_size=batcher.limit,
            batches=batcher.counts.batches,
            mean_batch_size=round(batcher.counts.mean_size, 2),
            waiting=batcher.waiting,
            running=batcher.running,
        )

    async def load(self) -> None:
        """Load it and warm it up; a failure is kept in ``error``, never raised."""
        async with self._lock:
            if self.error is not None:
                await self._load()

    async def _load(self) -> None:
        try:
            await in_thread(self._runtime.load, name=f"load-{self.definition.reference}")
            if self._runtime.definition is not self.definition:
                self._define(self._runtime.definition)
            if self.definition.has_own_example:
                await self._run(Call(self.convert(self.definition.input_example), timeout_s=WARM_UP_TIMEOUT_S))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 a model may raise anything, SystemExit too
            self.failure = error
            self.error = error.message if isinstance(error, ZypherError) else f"{type(error).__name__}: {error}"
            if self._again is not None and isinstance(error, Unavailable):
                self._again.begin()
        else:
            self.error = self.failure = self._down = None

    def _went_down(self, why: str | None) -> None:
        """Loaded as it was, it cannot predict for now; ``None``: it can again. Called from any thread."""
        if self.error is self._down:  # else it is not loaded, and stays so
            self.error = self._down = why

    async def _loads(self) -> bool:
        """Load it; whether that worked, or is of no use to try again."""
        await self.load()
        return self.ready or not isinstance(self.failure, Unavailable)

    def _went_away(self, why: str) -> None:
        """Loaded as it was, it is away; it is loaded again when it is back."""
        if self.error is None and self._again is not None:
            self.error = why
            self._again.begin()

    async def unload(self, *, drain_s: float = 0) -> None:
        """Let it leave memory, and take no more calls; those under way have so long to end."""
        self.error = "it is not loaded"
        if self._again is not None:
            self._again.end()
        async with self._lock:
            until_s = time.monotonic() + drain_s
            while self.running and time.monotonic() < until_s:  # noqa: ASYNC110 an event would cost each call
                await asyncio.sleep(_LOOK_S)
            await self._unload()

    async def sleep(self) -> None:
        """Let it leave memory until its next call. Nothing happens while something runs, or when it is not loaded."""
        if self.running or self.error is not None:
            return
        self.error = _ASLEEP
        async with self._lock:
            if self.asleep:  # else a call came before this did
                await self._unload()

    async def _unload(self) -> None:
        if self.cache is not None:
            self.cache.clear()
        await in_thread(self._runtime.unload, name=f"unload-{self.definition.reference}")

    def decode(self, body: bytes) -> Any:
        """JSON body → input; raises ``MalformedInput`` when it is no JSON, ``InvalidInput`` when it does not fit."""
        try:
            return self._decode(body)
        except (ValueError, RecursionError) as error:
            raise self._refusal(body, error) from None

    def convert(self, value: Any) -> Any:
        """Plain values, as MessagePack holds them → input; raises ``InvalidInput``."""
        try:
            return msgspec.convert(value, self.input_type)
        except msgspec.ValidationError as error:
            raise invalid_input(str(error), self.definition.input_schema) from None

    def encode(self, output: Any) -> bytes:
        """Output → JSON; raises ``ModelError`` when the model put something in it that JSON cannot hold."""
        try:
            return _encoder.encode(output)
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"Model {self.name!r} returned what JSON cannot hold: {error}.") from error

    def run(
        self,
        input: Any,
        *,
        timeout_s: float,
        prediction_id: str = "",
        attempt: int = 1,
        listener: Listener = NOBODY,
        trace: TraceContext | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """The output of one prediction; see ``run_call``."""
        call = Call(
            input, timeout_s=timeout_s, prediction_id=prediction_id, attempt=attempt, listener=listener, trace=trace
        )
        return self.run_call(call)

    def check_room(self, longest_wait_s: float) -> None:
        """Raises ``Overloaded`` when one more caller may not wait for it; ``longest_wait_s`` 0: all may.

        Who finds its output in the cache waits for nothing, so that a model with one says it only when it is to run.
        """
        if self.cache is None:
            self._check_room(longest_wait_s)

    def _check_room(self, longest_wait_s: float) -> None:
        batcher = self.batcher
        if batcher is None or batcher.waiting < batcher.enough or not longest_wait_s:
            return
        waiting, per_s = batcher.waiting, batcher.per_s
        if not self.door.lets_in(
            waiting=waiting, begun=batcher.counts.predictions, per_s=per_s, longest_wait_s=longest_wait_s
        ):
            raise Overloaded(f"Model {self.name!r}", retry_after_s=waiting / per_s if per_s else 1)

    async def _run_if_room(self, call: Call) -> Any:
        self._check_room(call.longest_wait_s)
        return await self._run(call)

    async def run_call(self, call: Call) -> Any:
        """One prediction; raises ``ModelNotReady``, ``PredictionTimeout``, ``ModelError``, ``PredictionCanceled``."""
        if self.asleep:
            asked_s = time.monotonic()
            try:
                await self.load()
            finally:
                call.load_ms = (time.monotonic() - asked_s) * 1000
        if self.error is not None:
            raise ModelNotReady(f"Model {self.name!r} is not ready: {self.error.rstrip('.')}.")
        self.running += 1
        self.used_s = started_s = time.monotonic()
        try:
            output = await self._answer(call)
        finally:
            self.running -= 1
        if self.shadow is not None and call.cache_use != "hit":
            self.shadow.compare(call.input, output, took_s=time.monotonic() - started_s)
        return output

    async def _run_directly(self, call: Call) -> Any:
        try:
            return (await self._runtime.run((call,)))[0]
        except asyncio.CancelledError:
            call.cancel()
            raise

    def _refusal(self, body: bytes, error: Exception) -> InvalidInput:
        """Tell no JSON (400) from JSON that does not fit (422): msgspec stops at whichever comes first."""
        send = _advice(self.definition.input_example)
        if not body.strip():
            return MalformedInput(f"The body is empty; {send}.")
        try:
            msgspec.json.decode(body)
        except RecursionError:
            return MalformedInput("The body is nested too deeply.")
        except msgspec.DecodeError as malformed:
            reason = str(malformed).removeprefix("JSON is malformed: ")
            return MalformedInput(f"The body is not valid JSON ({reason}); {send}.")
        except UnicodeDecodeError:
            return MalformedInput(f"The body is not valid UTF-8; {send}.")
        return invalid_input(str(error), self.definition.input_schema)


def _advice(example: Any) -> str:
    """What to send instead of what was no JSON."""
    if example is None:
        return "send JSON that fits the model's schema"
    shown = msgspec.json.encode(example).decode()
    return f"send JSON such as {shown if len(shown) <= LONGEST_EXAMPLE_CHARS else f'{shown[:LONGEST_EXAMPLE_CHARS]}…'}"

"""Callers that wait for predictions: one connection for all of a process's waiters.

It hears one channel, that of this client, for as long as it lives. Who is to be told of an end stands in the
prediction's record, put there by the submit itself or by a look that finds it unfinished, each in one step, so that
nothing ends between the look and the listening. The message brings what there is to know.
"""

import asyncio
import os
from typing import Any

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError

from zypher_jobs.contracts.prediction import Prediction, PredictionFailure, Status
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.frames import unframe
from zypher_jobs.queue.inspect import Inspector
from zypher_jobs.queue.payloads import deserialize
from zypher_jobs.queue.records import has_ended, instant, prediction_of, texts
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.together import Together
from zypher_jobs.queue.wire import Script, Wire

EXPECTED_S = 10.0
"""How long a submit's announced wait may take to come."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """The head of a message, in the order of ``tell.lua``; with the id alone it says that something is to be read."""

    prediction_id: str
    status: Status | None = None
    finished_at_ms: int = 0
    started_at_ms: int = 0
    run_us: int = 0
    attempt: int = 0
    worker: str = ""
    output_bytes: int = 0
    error_code: str = ""
    error_message: str = ""
    version: str = ""


class _End:
    """One message, for all who wait for it."""

    __slots__ = ("prediction", "result", "told")

    def __init__(self, told: Told, result: memoryview) -> None:
        self.told = told
        self.result = result
        self.prediction: Prediction | None = None
        """Made by the first of those who looked at the same record."""


Waiting = asyncio.Future[_End]
_decode = msgspec.msgpack.Decoder(Told).decode


class Waiters:
    """Wakes waiters by the messages that the scripts publish."""

    def __init__(self, pool: Any, inspect: Inspector) -> None:
        """``inspect`` reads what no message holds."""
        self.client_id = os.urandom(8).hex()
        self._wire = Wire(pool, lost=self._lost)
        self._read = Together(inspect.prediction)
        self._inspect = inspect
        self._look = Script(self._wire, source("look"))
        self._hears = False
        self._waiting: dict[str, set[Waiting]] = {}
        self._expected: dict[str, Waiting] = {}

    def __len__(self) -> int:
        """Those who wait."""
        return sum(map(len, self._waiting.values()))

    async def expect(self, prediction_id: str) -> None:
        """It is about to be submitted with ``client_id`` in its record, and then waited for."""
        await self._hear()
        self._expected[prediction_id] = self._listen(prediction_id)
        asyncio.get_running_loop().call_later(EXPECTED_S, self.forget, prediction_id)

    def forget(self, prediction_id: str) -> None:
        """Nobody will wait for it after all."""
        ended = self._expected.pop(prediction_id, None)
        if ended is not None:
            self._leave(prediction_id, ended)

    async def wait(self, prediction: Prediction | str, timeout_s: float) -> Prediction:
        """The prediction as soon as it is terminal, or as it stands after ``timeout_s``.

        What ``submit`` returned is waited for without another look. Raises ``UnknownPrediction``, and
        ``RedisUnavailable`` when the connection was lost and could not be made again.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        known, prediction_id = (
            (None, prediction) if isinstance(prediction, str) else (prediction, prediction.prediction_id)
        )
        ended = self._expected.pop(prediction_id, None)
        while True:
            if ended is None or known is None:
                known = None
                await self._hear()
                ended = ended or self._listen(prediction_id)
            try:
                if known is None:
                    known = await self._look_at(prediction_id)
                    if known.status.is_terminal:
                        return known
                async with asyncio.timeout_at(deadline):
                    end = await ended
                return await self._at_end(known, end, is_own=known is prediction)
            except TimeoutError:
                return await self._read(prediction_id)
            except RedisConnectionError:
                known = None  # on a new connection, if there is one to be had: what ended meanwhile is read there
            finally:
                self._leave(prediction_id, ended)
            ended = None

    async def aclose(self) -> None:
        """Stop listening."""
        for prediction_id in list(self._expected):
            self.forget(prediction_id)
        await self._wire.aclose()

    async def _hear(self) -> None:
        if not self._hears:
            with redis_errors():
                await self._wire.subscribe(keys.replies(self.client_id), self._heard)
            self._hears = True

    async def _look_at(self, prediction_id: str) -> Prediction:
        with redis_errors():
            flat, result, is_large = await self._look(args=(prediction_id, self.client_id))
        if not flat:
            raise UnknownPrediction(prediction_id)
        fields: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        if is_large and has_ended(fields, result):
            return await self._inspect.prediction(prediction_id)
        return prediction_of(prediction_id, texts(fields), result, sync_output=fields.get(b"output"))

    async def _at_end(self, known: Prediction, end: _End, *, is_own: bool) -> Prediction:
        told = end.told
        if told.status is None:
            return await self._read(told.prediction_id)
        if is_own:  # what it submitted, and did not look at
            return _ended(known, told, told.status, bytes(end.result))
        if end.prediction is None:
            end.prediction = _ended(known, told, told.status, bytes(end.result))
        return end.prediction

    def _listen(self, prediction_id: str) -> Waiting:
        ended: Waiting = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(prediction_id, set()).add(ended)
        return ended

    def _leave(self, prediction_id: str, ended: Waiting) -> None:
        ended.cancel()
        waiting = self._waiting.get(prediction_id)
        if waiting is not None:
            waiting.discard(ended)
            if not waiting:
                del self._waiting[prediction_id]

    def _heard(self, message: bytes) -> None:
        end = _End(*unframe(message, _decode))
        for ended in self._waiting.get(end.told.prediction_id, ()):
            if not ended.done():
                ended.set_result(end)

    def _lost(self, error: Exception) -> None:
        self._hears = False
        for waiting in self._waiting.values():
            for ended in waiting:
                if not ended.done():
                    ended.set_exception(RedisConnectionError(str(error)))
                    ended.exception()


def _ended(known: Prediction, told: Told, status: Status, result: bytes) -> Prediction:
    """What was known of it, and what the message says."""
    started_at = instant(told.started_at_ms)
    return msgspec.structs.replace(
        known,
        status=status,
        output=deserialize(result)["r"] if status is Status.SUCCEEDED and result else None,
        error=PredictionFailure(code=told.error_code, message=told.error_message) if told.error_code else None,
        attempts=told.attempt,
        progress=1.0 if status is Status.SUCCEEDED else None,
        progress_message=None,
        queue_position=None,
        estimated_wait_ms=None,
        output_bytes=told.output_bytes,
        started_at=started_at,
        finished_at=instant(told.finished_at_ms),
        wait_ms=(started_at - known.created_at).total_seconds() * 1000,
        run_ms=told.run_us / 1000,
        worker=told.worker,
        version=told.version or known.version,
    )

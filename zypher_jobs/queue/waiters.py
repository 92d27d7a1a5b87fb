"""Callers that wait for predictions: one connection for all of a process's waiters.

A waiter subscribes to its prediction's channel and reads the prediction in one write, so that nothing ends between the
look and the listening; the message that ends the wait brings what there is to know.
"""

import asyncio
from typing import Any

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.frames import unframe
from zypher_jobs.queue.inspect import Inspector
from zypher_jobs.queue.records import has_ended, prediction_of, texts
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.wire import Link, Script, Wire

_decode_fields = msgspec.msgpack.Decoder(list[str]).decode
Waiting = asyncio.Future[bytes]


class Waiters:
    """Wakes waiters by the channels that the finish script publishes on."""

    def __init__(self, pool: Any, inspect: Inspector) -> None:
        """``inspect`` reads what is too large for a message."""
        self._wire = Wire(pool, lost=self._lost)
        self._inspect = inspect
        self._look = Script(self._wire, source("look"))
        self._waiting: dict[str, set[Waiting]] = {}

    async def wait(self, prediction_id: str, timeout_s: float) -> Prediction:
        """The prediction as soon as it is terminal, or as it stands after ``timeout_s``.

        Raises ``UnknownPrediction``, and ``RedisUnavailable`` when the connection was lost and could not be made again.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            with redis_errors():
                link = await self._wire.link()
            if not link.is_open:
                continue
            ended = self._listen(link, prediction_id)
            try:
                prediction = await self._look_at(prediction_id)
                if prediction is not None:
                    return prediction
                async with asyncio.timeout_at(deadline):
                    message = await ended
                if message:
                    return _told(prediction_id, message)
            except TimeoutError:
                return await self._inspect.prediction(prediction_id)
            except RedisConnectionError:
                continue  # on a new connection, if there is one to be had: what ended meanwhile is read there
            finally:
                self._leave(prediction_id, ended)

    async def aclose(self) -> None:
        """Stop listening."""
        await self._wire.aclose()

    async def _look_at(self, prediction_id: str) -> Prediction | None:
        """The prediction if it is terminal."""
        with redis_errors():
            flat, result, is_large = await self._look(args=(prediction_id,))
        if not flat:
            raise UnknownPrediction(prediction_id)
        if is_large:
            return await self._inspect.prediction(prediction_id)
        fields: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        if not has_ended(fields, result):
            return None
        return prediction_of(prediction_id, texts(fields), result, sync_output=fields.get(b"output"))

    def _listen(self, link: Link, prediction_id: str) -> Waiting:
        ended: Waiting = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(prediction_id)
        if waiting is None:
            waiting = self._waiting[prediction_id] = set()
            link.subscribe(keys.done(prediction_id), lambda message: self._heard(prediction_id, message))
        waiting.add(ended)
        return ended

    def _leave(self, prediction_id: str, ended: Waiting) -> None:
        ended.cancel()
        waiting = self._waiting.get(prediction_id)
        if waiting is None or ended not in waiting:
            return  # the connection it listened on is gone
        waiting.discard(ended)
        if not waiting:
            del self._waiting[prediction_id]
            self._wire.unsubscribe(keys.done(prediction_id))

    def _heard(self, prediction_id: str, message: bytes) -> None:
        for ended in self._waiting.get(prediction_id, ()):
            if not ended.done():
                ended.set_result(message)

    def _lost(self, error: Exception) -> None:
        lost, self._waiting = self._waiting, {}
        for waiting in lost.values():
            for ended in waiting:
                if not ended.done():
                    ended.set_exception(RedisConnectionError(str(error)))
                    ended.exception()


def _told(prediction_id: str, message: bytes) -> Prediction:
    """What the message of the finish script says."""
    flat, result = unframe(message, _decode_fields)
    return prediction_of(prediction_id, dict(zip(flat[::2], flat[1::2], strict=True)), bytes(result) or None)

"""arq's ``job_serializer`` and ``job_deserializer``: MessagePack, never pickle.

Whoever can write to Redis can make a worker read bytes, and must not thereby run code. An exception travels as data
(extension type 1: code, message, traceback) and comes back as ``PredictionFailed``, whatever class it was.
"""

import asyncio
import traceback
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import PREVIEW_CHARS
from zypher_jobs.errors import PredictionFailed, ZypherError

PREDICT = "predict"
"""Name of the arq function that every prediction's job calls, with ``(model, input)``."""

NOTHING = object()

_FAILURE = 1
_CANCELED = "canceled"


class _Failure(msgspec.Struct, array_like=True):
    code: str
    message: str
    traceback: str = ""


def serialize(data: dict[str, Any]) -> bytes:
    """An arq job or result → MessagePack; raises ``TypeError`` for what MessagePack cannot hold."""
    return _encoder.encode(data)


def deserialize(data: bytes) -> dict[str, Any]:
    """The reverse of ``serialize``; raises ``msgspec.DecodeError``."""
    return _decoder.decode(data)


def input_in(stored: bytes | None) -> Any:
    """What a job or a result says that was asked with; ``NOTHING`` where it says nothing of it."""
    asked: dict[str, Any] = {} if stored is None else deserialize(stored)
    arguments = asked.get("a", ())
    return arguments[1] if asked.get("f") == PREDICT and len(arguments) == 2 else NOTHING


def failure_of(error: BaseException) -> PredictionFailed:
    """What is kept of an exception: ours as they are, any other as ``TypeName: text``, code ``model_error``."""
    if isinstance(error, PredictionFailed):
        return error
    if isinstance(error, asyncio.CancelledError):
        return PredictionFailed("The prediction was canceled.", code=_CANCELED)
    if isinstance(error, ZypherError):
        return PredictionFailed(error.message, code=error.code)
    text = "".join(traceback.format_exception(error))
    return PredictionFailed(f"{type(error).__name__}: {error}", code="model_error", traceback=text)


def _encode_other(value: Any) -> Any:
    if isinstance(value, BaseException):
        failure = failure_of(value)
        stored = _Failure(failure.code, failure.message, failure.traceback)
        return msgspec.msgpack.Ext(_FAILURE, msgspec.msgpack.encode(stored))
    raise TypeError(f"{type(value).__name__} cannot be kept as MessagePack")


def _decode_extension(code: int, data: memoryview) -> Any:
    if code != _FAILURE:
        raise ValueError(f"extension type {code} is not one of Zypher's")
    stored = msgspec.msgpack.decode(data, type=_Failure)
    if stored.code == _CANCELED:
        return asyncio.CancelledError(stored.message)  # what arq's Job.abort waits for
    return PredictionFailed(stored.message, code=stored.code, traceback=stored.traceback)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other)
_decoder = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=_decode_extension)
_encode_json = msgspec.json.Encoder().encode


def preview_of(output: Any) -> tuple[str, int]:
    """The beginning of an output's JSON, and the length of it all in bytes."""
    try:
        json = _encode_json(output)
    except (TypeError, ValueError):
        return "", 0
    return json[: 4 * PREVIEW_CHARS].decode(errors="ignore")[:PREVIEW_CHARS], len(json)

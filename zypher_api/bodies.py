"""Reads a request's body, up to a limit."""

import zlib
from collections.abc import Callable
from typing import TypeVar

import msgspec
from litestar.types import Receive

from zypher_api.problems import BodyTooLarge, MalformedRequest, UnsupportedMediaType
from zypher_jobs.errors import InvalidInput, MalformedInput

T = TypeVar("T")


async def read_body(headers: dict[bytes, bytes], receive: Receive, *, max_bytes: int) -> bytes:
    """The whole body; raises ``BodyTooLarge`` as soon as it is known to be, announced or chunked."""
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or int(length) > max_bytes):
        raise _too_large(max_bytes)
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"] and len(message["body"]) <= max_bytes:
        return message["body"]
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunks.append(message["body"])
        size += len(message["body"])
        if size > max_bytes:
            raise _too_large(max_bytes)
        if not message["more_body"]:
            return b"".join(chunks)
        message = await receive()
    raise MalformedRequest("The connection was closed before the body was complete.")


def unpacked(body: bytes, encoding: bytes | None, *, max_bytes: int) -> bytes:
    """A body without its ``Content-Encoding``; raises ``BodyTooLarge`` before it grows beyond the limit."""
    if encoding is None or encoding.lower() == b"identity":
        return body
    if encoding.lower() not in _WINDOW_BITS:
        raise UnsupportedMediaType(
            f"The body's Content-Encoding must be gzip or deflate, or none, not {encoding.decode('latin-1')}."
        )
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding.lower()])
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise MalformedRequest("The body is not what its Content-Encoding says.", field="Content-Encoding") from None
    if len(unpacked) > max_bytes:
        raise _too_large(max_bytes)
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedRequest("The body's compressed data is not complete.", field="Content-Encoding")
    return unpacked


_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
"""As zlib wants them: with gzip's header, with its own."""


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {max_bytes:,} bytes; ZYPHER_MAX_BODY_BYTES sets the limit.")


def decoded(decode: Callable[[bytes], T], body: bytes, *, malformed: str) -> T:
    """A body of the API's own. Raises ``MalformedInput`` with that sentence for what is no JSON, ``InvalidInput`` with
    the field's path for what does not fit."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `")
        raise InvalidInput(f"{what}.", field=path.rstrip("`") or "$") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedInput(malformed) from None

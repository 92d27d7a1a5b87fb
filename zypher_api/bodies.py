"""Reads a request's body, up to a limit."""

from litestar.types import Receive

from zypher_api.problems import BodyTooLarge, MalformedRequest


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


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {max_bytes:,} bytes; ZYPHER_MAX_BODY_BYTES sets the limit.")

"""``RawResponse``: bytes that are encoded already, sent in the fewest steps.

Litestar's own ``Response`` resolves encoders, cookies, headers and media types for each answer; measured, that costs as
much as the rest of a request.
"""

from collections.abc import Iterable

from litestar.types import Receive, Scope, Send

Header = tuple[bytes, bytes]


class RawResponse:
    """One answer; an ASGI application."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        headers: Iterable[Header] = (),
        media_type: bytes = b"application/json",
    ) -> None:
        self.body = body
        self.status = status
        self.headers: list[Header] = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


async def no_answer(scope: Scope, receive: Receive, send: Send) -> None:  # ASGI
    """For a caller that has gone away: nothing."""

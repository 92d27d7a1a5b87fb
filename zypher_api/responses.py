"""``RawResponse``: bytes that are encoded already, sent in the fewest steps.

Litestar's own ``Response`` resolves encoders, cookies, headers and media types for each answer; measured, that costs as
much as the rest of a request.
"""

from collections.abc import Callable, Iterable

from litestar.types import Receive, Scope, Send

Header = tuple[bytes, bytes]
WHOLE = "whole"
"""Where the state of a request has a ``Whole``, if the server takes whole answers."""


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
        """Send it; at once where the server takes it so."""
        whole: Whole | None = scope["state"].get(WHOLE)
        if whole is not None and whole(self):
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


Whole = Callable[[RawResponse], bool]
"""Sends an answer, and whether it did."""


async def no_answer(scope: Scope, receive: Receive, send: Send) -> None:  # ASGI
    """For a caller that has gone away: nothing."""

"""A synchronous caller who goes away cancels what it waits for, unless it said otherwise (``On-Disconnect``).

ASGI would tell it to whoever calls ``receive`` meanwhile, which takes a task for each request. ``CorkedProtocol`` puts
a ``Presence`` into the state of its requests instead, and a request that is not disturbed pays nothing but for two
assignments. Behind another server there is none, and what runs goes on to its end.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Literal

from litestar.types import Scope

from zypher_api.keyring import Caller
from zypher_api.problems import CallerGone, MalformedRequest

STATE_KEY = "presence"


class Presence:
    """Whether the other end of a connection is there; its requests are served one after the other."""

    __slots__ = ("admitted", "is_gone", "when_gone")

    def __init__(self) -> None:
        self.admitted: tuple[bytes, Caller] | None = None
        """The ``Authorization`` that was good for the last request, and whose it is."""
        self.is_gone = False
        self.when_gone: Callable[[], object] | None = None

    def leave(self) -> None:
        """The connection has ended."""
        self.is_gone = True
        if self.when_gone is not None:
            self.when_gone()


class UntilGone:
    """``with``: cancels the task inside it as soon as the caller goes away, and raises ``CallerGone`` then."""

    __slots__ = ("_canceled", "_presence", "_task")

    def __init__(self, scope: Scope) -> None:
        self._presence: Presence | None = scope["state"].get(STATE_KEY)
        self._canceled = False
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> None:
        presence = self._presence
        if presence is None:
            return
        if presence.is_gone:
            raise CallerGone
        self._task = asyncio.current_task()
        presence.when_gone = self._cancel

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._presence is not None:
            self._presence.when_gone = None
        if self._canceled and self._task is not None:
            self._task.uncancel()
            if kind is asyncio.CancelledError:
                raise CallerGone from None

    def _cancel(self) -> None:
        if self._task is not None:
            self._canceled = True
            self._task.cancel()


_FOR_EVER = nullcontext()


def while_wanted(scope: Scope, *, stays: bool) -> AbstractContextManager[None]:
    """``UntilGone`` unless it ``stays``, see ``goes_on``."""
    return _FOR_EVER if stays else UntilGone(scope)


def goes_on(headers: Mapping[bytes, bytes], default: Literal["cancel", "continue"]) -> bool:
    """Whether a synchronous prediction goes on without its caller: what ``On-Disconnect`` says, or the setting.

    Raises ``MalformedRequest``.
    """
    sent = headers.get(b"on-disconnect")
    if sent is None:
        return default == "continue"
    text = sent.strip().lower()
    if text not in (b"cancel", b"continue"):
        raise MalformedRequest(
            "The header On-Disconnect must be cancel or continue: what becomes of a synchronous prediction whose "
            "caller goes away.",
            field="On-Disconnect",
        )
    return text == b"continue"

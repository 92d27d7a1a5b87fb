"""Where a dashboard starts and stops its loads."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from zypher_tui.load.plan import Plan
from zypher_tui.load.report import Report
from zypher_tui.load.where import why_not

if TYPE_CHECKING:
    from zypher_tui.load.sender import Sender


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be asked."""

    name: str
    example: bytes


class Desk(Protocol):
    """What the screen needs; start a load only after its ``offers``. All of it is called in the screen's thread."""

    why_not: str | None
    """Why no load can be started, as a sentence."""

    @property
    def report(self) -> Report | None:
        """How it stands with the last load; ``None``: there was none."""
        ...

    @property
    def trouble(self) -> str:
        """What went wrong beside the load itself, as a sentence."""
        ...

    async def offers(self) -> list[Offer]:
        """The models. Raises ``TargetAway``, a ``ValueError`` with a whole sentence."""
        ...

    def start(self, plan: Plan, inputs: Sequence[bytes]) -> None:
        """Begin a load; there must be none under way."""
        ...

    def stop(self) -> None:
        """End it within a second."""
        ...

    def cancel_open(self) -> None:
        """Cancel what the last load left in the queue, and nothing else."""
        ...

    def close(self) -> None:
        """The dashboard ends."""
        ...


class ClosedDesk:
    """Starts nothing, and says why."""

    report = None
    trouble = ""

    def __init__(self, why: str) -> None:
        self.why_not: str | None = why

    async def offers(self) -> list[Offer]:
        """There are none."""
        return []

    def start(self, plan: Plan, inputs: Sequence[bytes]) -> None:
        """See ``Desk``."""

    def stop(self) -> None:
        """See ``Desk``."""

    def cancel_open(self) -> None:
        """See ``Desk``."""

    def close(self) -> None:
        """See ``Desk``."""


class ApiDesk:
    """Loads the API at ``url``. What sends is imported when the screen is first seen: 60 ms."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self.why_not = why_not(url)
        self._url = url
        self._api_key = api_key
        self._sender: Sender | None = None

    @property
    def report(self) -> Report | None:
        """See ``Desk``."""
        return self._sender.report if self._sender else None

    @property
    def trouble(self) -> str:
        """See ``Desk``."""
        return self._sender.trouble if self._sender else ""

    async def offers(self) -> list[Offer]:
        """See ``Desk``."""
        if self._sender is None:
            self._sender = await asyncio.to_thread(_sender, self._url, self._api_key)
        return await self._sender.offers()

    def start(self, plan: Plan, inputs: Sequence[bytes]) -> None:
        """See ``Desk``."""
        if self._sender is not None:
            self._sender.start(plan, inputs)

    def stop(self) -> None:
        """See ``Desk``."""
        if self._sender is not None:
            self._sender.stop()

    def cancel_open(self) -> None:
        """See ``Desk``."""
        if self._sender is not None:
            self._sender.cancel_open()

    def close(self) -> None:
        """See ``Desk``."""
        if self._sender is not None:
            self._sender.close()


def _sender(url: str, api_key: str | None) -> "Sender":
    from zypher_tui.load.sender import Sender  # noqa: PLC0415  # see ApiDesk

    return Sender(url, api_key=api_key)

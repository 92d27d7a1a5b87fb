"""Sends the loads of a dashboard, each in a thread with an event loop of its own.

Frames that are drawn do not make its requests late, and its requests do not make keys late. It ends with the dashboard.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from zypher_tui.core.cleaning import clean
from zypher_tui.load.desk import Offer
from zypher_tui.load.generator import Generator
from zypher_tui.load.plan import Plan
from zypher_tui.load.report import Report
from zypher_tui.load.target import ApiTarget, TargetAway

REPORT_EVERY_S = 0.25
LOOK_EVERY_S = 1.0
LEAVE_S = 1.5
"""How long the end of a dashboard waits for that of a load."""


class Sender:
    """See ``desk.Desk``."""

    def __init__(self, url: str, *, api_key: str | None) -> None:
        self._url = url
        self._api_key = api_key
        self._run: _Run | None = None

    @property
    def report(self) -> Report | None:
        """See ``Desk``."""
        return self._run.report if self._run else None

    @property
    def trouble(self) -> str:
        """See ``Desk``."""
        return self._run.trouble if self._run else ""

    async def offers(self) -> list[Offer]:
        """See ``Desk``."""
        target = self._target()
        try:
            return [Offer(name=each.name, example=bytes(each.input_example)) for each in await target.models()]
        finally:
            await target.aclose()

    def start(self, plan: Plan, inputs: Sequence[bytes]) -> None:
        """See ``Desk``."""
        self.close()
        self._run = _Run(plan, inputs, self._target())

    def stop(self) -> None:
        """See ``Desk``."""
        if self._run is not None:
            self._run.stop()

    def cancel_open(self) -> None:
        """See ``Desk``."""
        if self._run is not None:
            self._run.cancel_open()

    def close(self) -> None:
        """See ``Desk``."""
        if self._run is not None:
            self._run.close()

    def _target(self) -> ApiTarget:
        return ApiTarget(self._url, api_key=self._api_key)


class _Run:
    """One load in its thread. What others read is set as a whole; what they want is put into its loop."""

    def __init__(self, plan: Plan, inputs: Sequence[bytes], target: ApiTarget) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._generator = Generator(plan, inputs, target)
        self._closing = asyncio.Event()
        self._woken = asyncio.Event()
        self._wants_cancel = False
        self.trouble = ""
        self.report = self._generator.report()
        self._thread = threading.Thread(target=self._in_thread, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the load; what it left in the queue is followed on."""
        self._say(self._generator.stop)

    def cancel_open(self) -> None:
        """Cancel that."""
        self._wants_cancel = True
        self._say(self._woken.set)

    def close(self) -> None:
        """End everything."""
        self._say(self._generator.stop)
        self._say(self._closing.set)
        self._say(self._woken.set)
        self._thread.join(LEAVE_S)

    def _say(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(what)

    def _in_thread(self) -> None:
        try:
            self._loop.run_until_complete(self._main())
        except Exception as error:  # noqa: BLE001  # the dashboard outlives its defects and says so
            self.trouble = f"The load broke off: {clean(f'{type(error).__name__}: {error}')[:200]}."
        finally:
            self._loop.close()

    async def _main(self) -> None:
        publishing = asyncio.create_task(self._publish())
        try:
            await self._generator.run()
            while not self._closing.is_set() and self._generator.report().open:
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
                self._woken.clear()
        finally:
            publishing.cancel()
            self.report = self._generator.report()
            await self._target.aclose()

    async def _look(self) -> None:
        try:
            if self._wants_cancel:
                self._wants_cancel = False
                await self._generator.cancel_open()
            await self._generator.look()
            self.trouble = ""
        except TargetAway as error:
            self.trouble = f"How it stands with the queue is not known. {error}"

    async def _publish(self) -> None:
        while True:
            self.report = self._generator.report()
            await asyncio.sleep(REPORT_EVERY_S)

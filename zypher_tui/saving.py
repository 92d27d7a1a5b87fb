"""What the dashboard sees, written into a file while it goes on: what it knows already, and what it sees from then on.

Lines are made in the dashboard's loop, a few milliseconds at a time, and packed and written in a thread: neither a
hundred thousand predictions nor a slow disk keep a key waiting.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from zypher_jobs import __version__
from zypher_tui.core.known import Known, epoch_of
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import Header, Line
from zypher_tui.core.store import Store
from zypher_tui.core.view import Link
from zypher_tui.sources.recording_file import RecordingFile, RecordingFull

EVERY_S = 2.0
MAX_BYTES = 200e6
STEP_S = 0.008
"""The loop makes lines for so long at once."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a recording."""

    path: Path
    since_s: float | None = None
    """It begins there, on the dashboard's clock, with ``EVER`` as early as it can; ``None``: now."""
    goes_on: bool = True
    """Whether it goes on once all that is known is written."""
    previews: bool = True
    overwrite: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How it is going."""

    lasting_s: float
    size_bytes: int
    share: float | None
    """How much of what was known is written; ``None``: all of it."""


class Saving:
    """One file. ``run`` it once; ``stop`` ends it in order."""

    def __init__(self, store: Store, wanted: Wanted, *, clock_s: Callable[[], float], max_bytes: float = MAX_BYTES):
        """Raises ``StartError``, ``RecordingThere``."""
        now_s = self._began_s = clock_s()
        view = store.view(now_s)
        epoch_s = epoch_of(view)
        since_s = now_s if wanted.since_s is None else wanted.since_s
        first_s = next(iter(store.timeline.times(since_s, now_s)), now_s)
        self.path = wanted.path
        self.why = ""
        """Why it ended before it was asked to, as the end of a sentence."""
        self._wanted = wanted
        self._clock_s = clock_s
        self._known = Known(
            store, epoch_s=time.time() - now_s if epoch_s is None else epoch_s, previews=wanted.previews
        )
        header = Header(
            version=__version__,
            started_at=self._known.at(first_s),
            sources=[link.source.value for link in view.links if link.link in (Link.UP, Link.AWAY)]
            or [SourceName.API.value],
            has_previews=wanted.previews,
        )
        try:
            self._file = RecordingFile(wanted.path, header, overwrite=wanted.overwrite, max_bytes=max_bytes)
        except BaseException:
            self._known.close()
            raise
        self._past = iter(()) if wanted.since_s is None else self._known.past(since_s)
        self._is_past = wanted.since_s is not None
        self._stopped = asyncio.Event()
        self._is_cut = False

    @property
    def standing(self) -> Standing:
        """As of now."""
        return Standing(
            lasting_s=self._clock_s() - self._began_s,
            size_bytes=self._file.size_bytes,
            share=self._known.share if self._is_past else None,
        )

    @property
    def predictions(self) -> int:
        """How many lines it has of them."""
        return self._known.predictions

    def stop(self, *, at_once: bool = False) -> None:
        """End it, once all that was known is written; ``at_once``: with what is written by then."""
        self._is_cut = self._is_cut or at_once
        self._stopped.set()

    async def run(self) -> None:
        """Write until it is stopped, or cannot be written."""
        if not self._wanted.goes_on:
            self._stopped.set()
        try:
            await self._write()
        except RecordingFull:
            self.why = f"it has reached {self._file.size_bytes / 1e6:.0f} MB"
        except OSError as error:
            self.why = (error.strerror or str(error)).lower()
            self._file.abandon()
            return
        finally:
            self._known.close()
        try:
            await asyncio.to_thread(self._file.close)
        except OSError as error:
            self.why = (error.strerror or str(error)).lower()

    async def _write(self) -> None:
        while not self._is_cut and (lines := self._step()):
            await asyncio.to_thread(self._file.write, *lines)
        self._is_past = False
        while True:
            if not self._is_cut:
                await asyncio.to_thread(self._file.write, *self._known.lines(self._clock_s()))
            if self._stopped.is_set():
                return
            try:
                await asyncio.wait_for(self._stopped.wait(), EVERY_S)
            except TimeoutError:
                continue

    def _step(self) -> list[Line]:
        """The next lines of the past; none: that was all."""
        until_s = time.monotonic() + STEP_S
        lines: list[Line] = []
        for line in self._past:
            lines.append(line)
            if time.monotonic() > until_s:
                break
        return lines

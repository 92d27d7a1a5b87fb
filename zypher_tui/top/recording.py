"""``zypher top --record FILE``: asks the sources again and again, and writes what they say into one file.

A recorder that is killed has lost the seconds since its last frame at most. Outages of the sources do not end it: they
are part of what is recorded.
"""

import asyncio
import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from zypher_jobs import __version__
from zypher_tui.core import formats
from zypher_tui.core.cleaning import clean
from zypher_tui.core.readings import Reading
from zypher_tui.core.recording import Header
from zypher_tui.core.tape import Tape
from zypher_tui.sources.api import ApiSource
from zypher_tui.sources.recording_file import RecordingFile, RecordingFull
from zypher_tui.sources.redis import RedisSource
from zypher_tui.sources.source import MOST_IDS, Source, SourceAway

_LET_GO_S = 1.0
"""How long requests that are under way may take to end."""


class Recorder:
    """``sources`` in the order in which their figures are preferred."""

    def __init__(
        self,
        sources: Sequence[Source],
        file: RecordingFile,
        *,
        every_s: float,
        previews: bool = True,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``note`` is told how it stands after each frame."""
        self.tape = Tape(previews=previews)
        self._sources = sources
        self._file = file
        self._every_s = every_s
        self._note = note
        self._began_s = time.monotonic()
        self._preferred: Source | None = None
        """The first that has figures."""
        self._last_event: str | None = None
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End it; what is written so far is whole."""
        self._stopped.set()

    async def run(self, *, for_s: float | None = None) -> None:
        """Record until ``stop``, or so long. Raises ``RecordingFull``, ``OSError`` when nothing can be written."""
        writing, listening = asyncio.create_task(self._write()), asyncio.create_task(self._listen())
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([writing, stopped], timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                await writing
        finally:
            tasks = [writing, listening, stopped]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_LET_GO_S)

    async def _write(self) -> None:
        while True:
            began_s = time.monotonic()
            readings = await self._read()
            await self._read_ends()
            self._file.write(*self.tape.lines(readings, datetime.now(UTC)))
            self._note(self._standing(readings))
            await asyncio.sleep(max(began_s + self._every_s - time.monotonic(), 0.01))

    async def _read(self) -> list[Reading]:
        """What each source says; only one is asked for figures, unless it has none."""
        readings: list[Reading] = []
        preferred: Source | None = None
        for source in self._sources:
            try:
                reading = await source.read(overview=preferred is None)
            except Exception as error:  # noqa: BLE001  # it outlives every source's defect, and keeps it
                why = clean(f"{type(error).__name__}: {error}")[:200]
                reading = Reading(source=source.name, at_s=time.monotonic(), error=why)
            if reading.overview is not None:
                preferred = source
                self.tape.see(reversed(reading.overview.latest))
            readings.append(reading)
        self._preferred = preferred
        return readings

    async def _read_ends(self) -> None:
        """Read how those ended that were among the newest at no reading."""
        ended = self.tape.take_ended()
        if self._preferred is None:
            return
        with contextlib.suppress(SourceAway):
            for begin in range(0, len(ended), MOST_IDS):
                self.tape.see(await self._preferred.summaries(ended[begin : begin + MOST_IDS]))

    async def _listen(self) -> None:
        """Hear the events of the source that has the figures; of another when that changes."""
        while True:
            source = self._preferred
            if source is not None:
                with contextlib.suppress(Exception):  # what is wrong with it, its readings say
                    async with aclosing(source.events(self._last_event)) as events:
                        async for batch in events:
                            self.tape.hear(batch)
                            self._last_event = batch[-1].event_id
                            if self._preferred is not source:
                                break
            await asyncio.sleep(min(self._every_s, 1.0))

    def _standing(self, readings: list[Reading]) -> str:
        tape = self.tape
        links = [f"{each.source.label} {'up' if each.error is None else 'away'}" for each in readings]
        return " · ".join(
            (
                formats.age_s(time.monotonic() - self._began_s),
                formats.size_bytes(self._file.size_bytes),
                f"{formats.count(tape.predictions)} predictions",
                f"{formats.count(tape.events)} events",
                *links,
            )
        )


class StatusLine:
    """How it stands, on stderr: one line that changes on a terminal; else only what is new about the sources."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last = ""

    def show(self, text: str) -> None:
        """Draw it."""
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
            return
        links = " · ".join(each for each in text.split(" · ") if each.endswith((" up", " away")))
        if links != self._last:
            self._last = links
            sys.stderr.write(f"{text}\n")

    def end(self, text: str) -> None:
        """Write what stays."""
        sys.stderr.write(("\r\x1b[K" if self._is_terminal else "") + f"{text}\n")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a recording."""

    path: Path
    every_s: float
    for_s: float | None = None
    max_mb: float = 200
    overwrite: bool = False
    previews: bool = True
    note: str = ""


def run_recorder(wanted: Wanted, *, api_url: str, redis_url: str | None, api_key: str | None) -> int:
    """Record until interrupted; returns 0, or 1 when it had to end before. Raises ``StartError``."""
    return asyncio.run(_record(wanted, api_url=api_url, redis_url=redis_url, api_key=api_key))


async def _record(wanted: Wanted, *, api_url: str, redis_url: str | None, api_key: str | None) -> int:
    sources: list[Source] = [ApiSource(api_url, api_key=api_key)]
    if redis_url:
        sources.append(RedisSource(redis_url))
    header = Header(
        version=__version__,
        started_at=datetime.now(UTC),
        sources=[source.name.value for source in sources],
        has_previews=wanted.previews,
        note=wanted.note,
    )
    file = RecordingFile(wanted.path, header, overwrite=wanted.overwrite, max_bytes=wanted.max_mb * 1_000_000)
    status = StatusLine()
    recorder = Recorder(sources, file, every_s=wanted.every_s, previews=wanted.previews, note=status.show)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, recorder.stop)
    why = None
    try:
        await recorder.run(for_s=wanted.for_s)
        file.close()
    except RecordingFull:
        file.close()
        why = f"It has reached its limit: --max-mb {wanted.max_mb:g}."
    except OSError as error:
        why = f"It cannot be written any more: {(error.strerror or str(error)).lower()}."
    for source in sources:
        await source.aclose()
    tape, name = recorder.tape, str(wanted.path)
    status.end(
        f"Recorded {tape.frames:,} frames, {tape.predictions:,} predictions and {tape.events:,} events: {name}, "
        f"{formats.size_bytes(file.size_bytes)}. Look at it with: zypher tui --replay {shlex.quote(name)}"
    )
    if why:
        status.end(why)
    return 1 if why else 0

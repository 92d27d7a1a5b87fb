"""One prediction read whole, and followed until it has ended and its webhooks were told."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple, TypeVar

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.contracts.webhook import Delivery, DeliveryState
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.cleaning import clean, clean_lines
from zypher_tui.core.life import Given
from zypher_tui.core.readings import SourceName
from zypher_tui.core.story import Story, Told
from zypher_tui.core.values import Written, written
from zypher_tui.sources.source import Source, SourceAway

TRACEBACK_CHARS = 20_000
PENDING_EVERY = 3
"""How many times less often it is read when only a webhook is still to be told."""
HEARD_S = 2.0
"""After the end, for what was said to be read."""
ENDED = "Nothing more is known of it: its retention has ended, or there never was one with that id."

T = TypeVar("T")
Sources = Callable[[], Mapping[SourceName, Source]]


class _Why(NamedTuple):
    """Why there is no answer: as the end of a sentence, and as one."""

    reason: str
    sentence: str


class Following:
    """What is known of it, and why the rest is not; ``changed`` is called when that is another."""

    def __init__(self, prediction_id: str, sources: Sources, *, changed: Callable[[], None], every_s: float) -> None:
        self.prediction_id = prediction_id
        self.whole: Prediction | None = None
        self.note = "Reading the whole prediction…"
        """Why it is not whole; empty when it is."""
        self.given: Given | None = None
        self.given_note = ""
        self.input: Written | None = None
        """As it is shown; ``None``: only the beginning of it is known."""
        self.output: Written | None = None
        self.traceback: Sequence[str] = ()
        """Of a failure, where it is told: clean lines."""
        self.deliveries: Sequence[Delivery] = ()
        self.deliveries_note = ""
        self.story = Story()
        self._sources = sources
        self._changed = changed
        self._every_s = every_s
        self._again = asyncio.Event()
        self._is_forgotten = False

    @property
    def why_no_input(self) -> str:
        """Why its input is not known whole, as the end of a sentence."""
        if self.given is not None:
            return self.given.why or "the rest of it is not kept"
        return self.given_note or "its input is still being read"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can come but its webhooks' deliveries."""
        return self.whole is not None and self.whole.status.is_terminal

    async def run(self) -> None:
        """Read it, again and again while something can change; hear what it says meanwhile."""
        hearing = asyncio.create_task(self._hear())
        try:
            await self._read_on()
            await asyncio.wait([hearing], timeout=HEARD_S)
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    async def _read_on(self) -> None:
        while True:
            self._again.clear()
            await self._read()
            if not self.given or not self.given.is_whole:
                await self._read_given()
            if self.has_ended:
                await self._read_deliveries()
            self._changed()
            is_pending = any(each.state is DeliveryState.PENDING for each in self.deliveries)
            if self.has_ended and (self.given or self._is_forgotten) and not is_pending:
                return
            try:
                async with asyncio.timeout(self._every_s * (PENDING_EVERY if self.has_ended else 1)):
                    await self._again.wait()
            except TimeoutError:
                pass

    async def _read(self) -> None:
        if self.has_ended:
            return
        try:
            found, why = await self._first(lambda source: source.prediction(self.prediction_id))
        except UnknownPrediction:
            self.note = ENDED
            return
        if found is not None:
            self.whole, self.note = found, ""
            self.output = None if found.output is None else written(found.output)
        elif self.whole is None:
            self.note = f"Only its line of the list can be shown: {why.sentence}."
        else:
            self.note = f"As it was read last: {why.sentence}."

    async def _read_given(self) -> None:
        try:
            found, why = await self._first(lambda source: source.given(self.prediction_id))
        except UnknownPrediction:
            self.given_note, self._is_forgotten = "its retention has ended", True
            return
        if found is None:
            self.given_note = why.sentence
            return
        self.given, self.given_note = found, ""
        self.input = written(found.value) if found.is_whole else None

    async def read_traceback(self, fingerprint: str) -> None:
        """Once it is known which failure it was."""
        text, _ = await self._first(lambda source: source.traceback(self.prediction_id, fingerprint=fingerprint))
        if text:
            self.traceback = clean_lines(text.rstrip(), max_chars=TRACEBACK_CHARS)
            self._changed()

    async def _read_deliveries(self) -> None:
        try:
            found, why = await self._first(lambda source: source.deliveries(self.prediction_id))
        except UnknownPrediction:
            return
        self.deliveries = self.deliveries if found is None else found
        self.deliveries_note = why.reason if found is None else ""

    async def _first(self, ask: Callable[[Source], Awaitable[T]]) -> tuple[T | None, "_Why"]:
        """The answer of the first source that has one, or why there is none. Raises ``UnknownPrediction``."""
        why = _Why("no source is connected", "no source is connected")
        for source in self._sources().values():
            try:
                return await ask(source), why
            except SourceAway as error:
                why = _Why(str(error), f"{source.name.label} is away: {error}")
            except UnknownPrediction:
                raise
            except Exception as error:  # noqa: BLE001  # the dashboard outlives every source's defect and says so
                said = clean(f"{type(error).__name__}: {error}")[:200]
                why = _Why(said, f"{source.name.label} fails: {said}")
        return None, why

    async def _hear(self) -> None:
        """What it says, or has said; from its beginning again when the stream broke off before the end."""
        while True:
            had_ended = self.has_ended
            source = next(iter(self._sources().values()), None)
            if source is not None:
                story = Story()
                with suppress(Exception):  # what it says is read with it, each second
                    async with aclosing(source.story(self.prediction_id)) as told:
                        await self._listen(told, story)
            if had_ended or self.story.has_ended:
                return
            await asyncio.sleep(self._every_s)

    async def _listen(self, told: AsyncGenerator[list[Told]], story: Story) -> None:
        async for some in told:
            self.story = story
            if story.hear(some):
                self._again.set()
            self._changed()

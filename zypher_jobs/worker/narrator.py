"""Writes what running predictions say: all that was said in an interval with one script, in whatever order they say it.

What a model says never waits for Redis. While that is away, notes wait here, up to a bound; what is said beyond it is
lost, and the numbers of the entries show that.
"""

import asyncio
import logging
from collections.abc import Sequence

from redis.exceptions import RedisError

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.models.notes import NOTE_BYTES, Note, Notes
from zypher_jobs.queue.backoff import Backoff
from zypher_jobs.queue.stories import Said, Stories

log = logging.getLogger("zypher.worker")

INTERVAL_S = 0.05
"""How often the notes of one prediction are written; its first are at once."""
BYTES_AT_ONCE = 262_144
"""In one script, about, but for one prediction that has said more: Redis serves nobody else meanwhile."""


class Narration(Notes):
    """The notes of one attempt on their way to its story."""

    next_number = 1
    next_s = 0.0
    """When it may be written again, on the loop's clock."""
    unwritten: Sequence[Note] = ()
    """Taken, numbered from ``next_number`` on, and not known to be in Redis."""

    def __init__(self, narrator: "Narrator", prediction_id: str, attempt: int, began_at_ms: int) -> None:
        # what the base does, for a third less: each prediction has one of these, and most say nothing
        self._loop, self._told = narrator.loop, narrator.told
        self.prediction_id = prediction_id
        self.attempt = attempt
        self.began_at_ms = began_at_ms

    @property
    def has_more(self) -> bool:
        """Whether there is something that is not known to be in Redis."""
        return bool(self.unwritten) or self.has_untaken

    def words(self) -> Said:
        """What stands unwritten; if nothing does, what was said since."""
        if not self.unwritten:
            dropped, self.unwritten = self.take()
            self.next_number += dropped  # they have numbers, by which readers see that they are missing
        kinds = {note.kind for note in self.unwritten}
        progress = self.newest if "progress" in kinds else None
        return Said(
            self.prediction_id,
            self.attempt,
            self.began_at_ms,
            self.next_number,
            [(note.kind, note.data.decode()) for note in self.unwritten],
            progress="" if progress is None else f"{progress.progress:g}",
            progress_message="" if progress is None else progress.message,
            log="\n".join(self.lines or ()) if "log" in kinds else "",
        )

    def are_written(self) -> None:
        """Its words are in Redis."""
        self.next_number += len(self.unwritten)
        self.unwritten = ()


class Narrator:
    """The stories of one worker's predictions; made on its event loop."""

    def __init__(self, stories: Stories, *, lifetime_ms: int) -> None:
        self.loop = asyncio.get_running_loop()
        self._stories = stories
        self._lifetime_ms = lifetime_ms
        self._to_write: dict[Narration, None] = {}
        self._due = asyncio.Event()
        self._due_at: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()

    def listen(self, prediction_id: str, *, attempt: int, began_at_ms: int) -> Narration:
        """A listener of one attempt; ``began_at_ms`` is the server's clock at its claim, as it stands in the record."""
        return Narration(self, prediction_id, attempt, began_at_ms)

    def told(self, narration: Narration) -> None:
        """It has something to be written."""
        if narration.has_more:
            self._to_write[narration] = None
            self._write_in(narration.next_s - self.loop.time())

    async def ended(self, narration: Narration) -> None:
        """Write what is left of an attempt that is over, before its end is reported; what cannot be written is lost."""
        narration.close()
        self._to_write.pop(narration, None)
        try:
            while narration.has_more:
                await self._write([narration])
        except RedisUnavailable as error:
            log.warning("what a prediction said is lost", extra={"error": error.message})
        except RedisError:
            log.exception("what a prediction said is lost")

    async def run(self) -> None:
        """Write what is told, until canceled."""
        backoff = Backoff()
        while True:
            await self._due.wait()
            self._due.clear()
            if self._due_at is not None:
                self._due_at.cancel()
                self._due_at = None
            some = self._some()
            try:
                await self._write(some)
            except RedisUnavailable as error:
                log.debug("cannot narrate", extra={"error": error.message})
                await backoff.sleep()
                for narration in some:
                    if not narration.is_closed:
                        self.told(narration)
            except RedisError:
                log.exception("what predictions said is lost")
                await backoff.sleep()
            else:
                backoff.reset()
            if self._to_write:
                self._write_in(min(narration.next_s for narration in self._to_write) - self.loop.time())

    def _some(self) -> list[Narration]:
        """Those that are written next."""
        some: list[Narration] = []
        left = BYTES_AT_ONCE
        while self._to_write and left > 0:
            some.append(next(iter(self._to_write)))
            del self._to_write[some[-1]]
            left -= some[-1].untaken_bytes + NOTE_BYTES
        return some

    def _write_in(self, seconds: float) -> None:
        if seconds <= 0:
            self._due.set()
            return
        if self._due_at is not None:
            if self._due_at.when() <= self.loop.time() + seconds:
                return
            self._due_at.cancel()
        self._due_at = self.loop.call_later(seconds, self._due.set)

    async def _write(self, narrations: Sequence[Narration]) -> None:
        """One round trip; when it raises, the words stay unwritten."""
        async with self._writing:
            said = [narration.words() for narration in narrations]
            if not said:
                return
            accepted = await self._stories.tell(said, lifetime_ms=self._lifetime_ms)
            next_s = self.loop.time() + INTERVAL_S
            for narration, was_accepted in zip(narrations, accepted, strict=True):
                narration.are_written()
                narration.next_s = next_s
                if not was_accepted:
                    narration.close()  # another attempt has taken over

"""What a person does from the dashboard: whether it can be done, asked first where it touches many, done, and told."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from textual.app import App

from zypher_tui.core.cleaning import clean
from zypher_tui.core.deeds import CannotBeMeant, Choice, Noted, Outcome, Verb, choose, choose_ids, choose_queue
from zypher_tui.core.rows import at_of
from zypher_tui.core.tally import Tally
from zypher_tui.core.view import View
from zypher_tui.hindrance import hindrance
from zypher_tui.screens.asked import Asked
from zypher_tui.sources.operator import Operator, OperatorError
from zypher_tui.widgets.deed_dialog import DeedDialog
from zypher_tui.widgets.done_dialog import DoneDialog
from zypher_tui.widgets.queue_dialog import QueueDialog

NOTED = 200
LOOKED_AT_AGAIN = 2_000
"""Predictions that are read again at most after something was done to many; events tell of the others."""
NO_API = "Acting needs the API, and this dashboard reads without one."


class Deeds:
    """One for each dashboard. ``opener`` makes the operator when it is first needed; ``None``: there is none."""

    def __init__(
        self,
        app: App[int],
        opener: Callable[[], Operator] | None,
        *,
        closed: str,
        view: Callable[[], View],
        changed: Callable[[Sequence[str], Sequence[str]], Awaitable[None]],
    ) -> None:
        """``closed`` is why nothing is ever done from here; empty: it depends.

        ``changed`` is told which are to be read again, and which are gone for certain.
        """
        self._app = app
        self._opener = opener
        self._closed = closed
        self._view = view
        self._changed = changed
        self._operator: Operator | None = None
        self._under_way = set[str]()
        self._replayed: dict[str, str] = {}
        self._running = list[DeedDialog]()
        """Of what is done to many, seen or not."""
        self.left_in_the_middle = list[str]()
        """What was under way when the dashboard was left, a sentence each."""
        self.notes: deque[Noted] = deque(maxlen=NOTED)

    async def aclose(self) -> None:
        """Let go of connections."""
        if self._operator is not None:
            await self._operator.aclose()

    def why_not(self) -> str | None:
        """Why nothing can be done now, with the way out."""
        if self._closed:
            return self._closed
        if self._opener is None:
            return NO_API
        return hindrance(self._view(), without="nothing can be done") or None

    def begin(self, asked: Asked) -> None:
        """Do it: one at once, many after a question."""
        if why := self.why_not():
            self._say(why)
            return
        is_again = asked.verb is Verb.REPLAY and asked.ids[0] in self._replayed if asked.ids else False
        if len(asked.ids) == 1 and asked.verb is not Verb.DROP and not is_again:
            self._run(self._one(asked.verb, asked.ids[0]))
            return
        try:
            choice = (
                choose_ids(asked.ids)
                if asked.ids
                else choose(asked.verb, asked.kept, asked.rows, now_ms=self._view().now_ms)
            )
        except CannotBeMeant as error:
            self._say(str(error))
            return
        if choice.ids == ():
            self._say(f"None of those that are known can be {asked.verb.done.lower()}.")
        else:
            self._run(self._many(asked.verb, choice))

    def ask_for_queue(self) -> None:
        """Which queue is to be paused, resumed or purged."""
        if why := self.why_not():
            self._say(why)
            return
        overview = self._view().overview
        queues = overview.queues if overview else ()
        self._app.push_screen(QueueDialog(queues, turn=self.turn_queue, purge=self._purge))

    def turn_queue(self, queue: str, *, pauses: bool) -> None:
        """Pause a queue, or resume it."""
        if why := self.why_not():
            self._say(why)
            return
        operator = self._open()
        self._run(self._told(operator.pause(queue) if pauses else operator.resume(queue)))

    def show_notes(self) -> None:
        """What was done from here, and what is being done."""
        self._app.push_screen(DoneDialog(self.notes, lambda: [each.so_far for each in self._running], self._stop))

    def note(self, sentence: str, *, is_well: bool) -> None:
        """Keep it among what was done from here; it was told already."""
        view = self._view()
        at = at_of(view.now_ms) if view.taken_at else datetime.now(UTC)
        self.notes.append(Noted(at=at, sentence=clean(sentence), is_well=is_well))

    def _purge(self, queue: str) -> None:
        view = self._view()
        self._run(self._many(Verb.CANCEL, choose_queue(queue, view.rows, now_ms=view.now_ms)))

    def _stop(self) -> None:
        for dialog in self._running:
            dialog.action_stop()

    async def _one(self, verb: Verb, prediction_id: str) -> None:
        if prediction_id in self._under_way:
            return  # the key was held down
        self._under_way.add(prediction_id)
        try:
            outcome = await self._told(self._open().one(verb, prediction_id))
        finally:
            self._under_way.discard(prediction_id)
        if outcome is not None:
            await self._take_in(outcome, (prediction_id,))

    async def _many(self, verb: Verb, choice: Choice) -> None:
        dialog = DeedDialog(verb, choice, note=self._note(verb, choice))
        await self._app.push_screen(dialog)
        operator = self._open()
        try:
            counted = await operator.count(verb, choice)
        except OperatorError as error:
            dialog.fail(str(error))
            return
        if not await dialog.agreed(counted):
            return
        tally = Tally(verb, counted, is_safe=choice.once or verb is not Verb.REPLAY)
        self._running.append(dialog)
        try:
            outcome = await operator.many(choice, tally, dialog.progress)
        except OperatorError as error:
            outcome = Outcome(sentence=str(error), touched=0, replays=tally.replays)
            if not dialog.fail(outcome.sentence):
                self._say(outcome.sentence)
            self.note(outcome.sentence, is_well=False)
        except asyncio.CancelledError:
            self.left_in_the_middle.append(tally.left_alone())
            raise
        else:
            dialog.close()
            self._say(outcome.sentence, is_well=True)
        finally:
            self._running.remove(dialog)
        await self._take_in(outcome, choice.known)

    def _note(self, verb: Verb, choice: Choice) -> str:
        if verb is not Verb.REPLAY or choice.once or not choice.ids:
            return ""
        before = self._replayed.get(choice.ids[0])
        return f"It was replayed from here before, as {before[:8]}." if before else ""

    async def _told(self, doing: Awaitable[Outcome]) -> Outcome | None:
        """Do it and say what came of it."""
        try:
            outcome = await doing
        except OperatorError as error:
            self._say(str(error), is_well=False)
            return None
        self._say(outcome.sentence, is_well=True)
        return outcome

    async def _take_in(self, outcome: Outcome, ids: Sequence[str]) -> None:
        """Show what has changed, now."""
        self._replayed |= outcome.replays
        again = [*outcome.replays.values(), *(each for each in ids if each not in outcome.gone)]
        await self._changed(again[:LOOKED_AT_AGAIN], outcome.gone)

    def _say(self, sentence: str, *, is_well: bool | None = None) -> None:
        """Tell it; what was tried (``is_well`` is not ``None``) is noted too."""
        if is_well is not None:
            self.note(sentence, is_well=is_well)
        severity = "information" if is_well else "warning"
        self._app.notify(clean(sentence), severity=severity, timeout=4 if is_well else 8, markup=False)

    def _open(self) -> Operator:
        if self._operator is None:
            assert self._opener is not None
            self._operator = self._opener()
        return self._operator

    def _run(self, doing: Awaitable[object]) -> None:
        self._app.run_worker(doing, exit_on_error=False, group="deeds")

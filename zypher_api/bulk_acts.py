"""Acting on many predictions: search some, act on them, search on; each call is bounded in number and in time."""

import time
from collections.abc import Sequence
from typing import Protocol

from zypher_api.operator_answers import BulkDone, Replayed, Skipped
from zypher_api.problems import MalformedRequest
from zypher_jobs.contracts.operation import Action, BulkRequest, Selection
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Status
from zypher_jobs.errors import Conflict, InvalidInput, QueueFull, RedisUnavailable, UnknownPrediction, ZypherError
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.selecting import Selected, place_above, select

STEP = 100
"""Predictions that are acted on between two looks at the clock."""
SEARCHED_STEP = 2_000
SEARCHED_MOST = 20_000
LONGEST_S = 5.0
SKIPS_SHOWN = 100

Came = Replayed | ZypherError | None
"""What came of one: a replay, why it was left as it is, or nothing more to say."""
_ENDED = tuple(status for status in Status if status.is_terminal)


class Act(Protocol):
    """What is done to each."""

    verb: str
    action: Action
    statuses: Sequence[Status]
    """Of those it can be done to."""
    usual: Sequence[Status]
    """Of those that are meant where no status is named."""

    async def meant(self, queue: PredictionQueue, found: Sequence[PredictionSummary]) -> Sequence[PredictionSummary]:
        """Those of a filter's that are meant."""
        ...

    async def would(self, queue: PredictionQueue, some: Sequence[PredictionSummary]) -> Sequence[Came]:
        """What would come of each; changes nothing."""
        ...

    async def do(self, queue: PredictionQueue, ids: Sequence[str]) -> Sequence[Came]:
        """Do it; what came of each."""
        ...


class _Plain:
    """All that a filter finds are meant, and their status says whether it can be done."""

    statuses: Sequence[Status]

    async def meant(self, queue: PredictionQueue, found: Sequence[PredictionSummary]) -> Sequence[PredictionSummary]:  # noqa: ARG002
        """All of them."""
        return found

    async def would(self, queue: PredictionQueue, some: Sequence[PredictionSummary]) -> Sequence[Came]:  # noqa: ARG002
        """By their status."""
        return [None if one.status in self.statuses else _ended(one.prediction_id, one.status) for one in some]


class Cancel(_Plain):
    """What waits is canceled, what runs is stopped."""

    verb = "cancel"
    action = Action.CANCEL_MANY
    statuses: Sequence[Status] = (Status.QUEUED, Status.RUNNING)
    usual: Sequence[Status] = statuses

    async def would(self, queue: PredictionQueue, some: Sequence[PredictionSummary]) -> Sequence[Came]:
        """By their status, and whether they are being stopped."""
        came = await super().would(queue, some)
        before = await queue.inspect.are_stopping([one.prediction_id for one in some])
        return [
            _stopping(one.prediction_id) if is_stopping and one.status is Status.RUNNING else error
            for one, error, is_stopping in zip(some, came, before, strict=True)
        ]

    async def do(self, queue: PredictionQueue, ids: Sequence[str]) -> Sequence[Came]:
        """One that has ended meanwhile, or that somebody else canceled, stays as it is."""
        return [
            now
            if isinstance(now, UnknownPrediction)
            else None
            if now.is_new
            else _stopping(prediction_id)
            if now.status is Status.RUNNING
            else _ended(prediction_id, now.status)
            for prediction_id, now in zip(ids, await queue.bulk.cancel(ids), strict=True)
        ]


class Retry:
    """What waits for a later time is due at once."""

    verb = "retry"
    action = Action.RETRY_MANY
    statuses: Sequence[Status] = (Status.QUEUED,)
    usual: Sequence[Status] = statuses

    async def meant(self, queue: PredictionQueue, found: Sequence[PredictionSummary]) -> Sequence[PredictionSummary]:
        """Those that wait for a time: what waits for its turn is not in question."""
        refusals = await self.would(queue, found)
        return [one for one, refusal in zip(found, refusals, strict=True) if refusal is None]

    async def would(self, queue: PredictionQueue, some: Sequence[PredictionSummary]) -> Sequence[Came]:
        """As the queue knows it."""
        return await queue.bulk.retry([one.prediction_id for one in some], is_look=True)

    async def do(self, queue: PredictionQueue, ids: Sequence[str]) -> Sequence[Came]:
        """One that is due, runs or has ended stays as it is."""
        return await queue.bulk.retry(ids)


class Replay(_Plain):
    """What ended is asked for again; with ``once`` only what nobody replayed before."""

    verb = "replay"
    action = Action.REPLAY_MANY
    statuses: Sequence[Status] = _ENDED
    usual: Sequence[Status] = (Status.FAILED,)

    def __init__(self, asked: BulkRequest) -> None:
        # between the look at a dead letter and its replay somebody else may have replayed it
        self._once = asked.once or (asked.ids is None and asked.status in (None, Status.FAILED))

    async def meant(self, queue: PredictionQueue, found: Sequence[PredictionSummary]) -> Sequence[PredictionSummary]:
        """Without failed ones that were replayed already: the same call twice does nothing more."""
        ids = [one.prediction_id for one in found]
        dead = await queue.inspect.are_dead(ids)
        replayed = await queue.inspect.are_replayed(ids) if self._once else [False] * len(ids)
        return [
            one
            for one, is_dead, is_replayed in zip(found, dead, replayed, strict=True)
            if not is_replayed and (is_dead or one.status is not Status.FAILED)
        ]

    async def would(self, queue: PredictionQueue, some: Sequence[PredictionSummary]) -> Sequence[Came]:
        """By their status, and whether they were replayed."""
        came = await super().would(queue, some)
        if not self._once:
            return came
        before = await queue.inspect.are_replayed([one.prediction_id for one in some])
        return [
            Conflict(f"Prediction {one.prediction_id!r} was replayed already.") if is_replayed and not error else error
            for one, error, is_replayed in zip(some, came, before, strict=True)
        ]

    async def do(self, queue: PredictionQueue, ids: Sequence[str]) -> Sequence[Came]:
        """The new predictions."""
        return [
            Replayed(prediction_id=new.prediction_id, replay_of=old, location=f"/predict/{new.prediction_id}")
            if isinstance(new, Prediction)
            else new
            for old, new in zip(ids, await queue.bulk.replay(ids, once=self._once), strict=True)
        ]


class Drop(_Plain):
    """What ended is forgotten."""

    verb = "drop"
    action = Action.DROP_MANY
    statuses: Sequence[Status] = _ENDED
    usual: Sequence[Status] = (Status.FAILED,)

    async def do(self, queue: PredictionQueue, ids: Sequence[str]) -> Sequence[Came]:
        """One that has not ended stays as it is."""
        return await queue.bulk.drop(ids)


class BulkRun:
    """One call. Its bounds are looked at between steps."""

    def __init__(self, queue: PredictionQueue, act: Act, asked: BulkRequest) -> None:
        """Raises ``MalformedRequest`` when nothing says which are meant, ``InvalidInput`` for a status that is none."""
        self._queue = queue
        self._act = act
        self._asked = asked
        self._selection = asked.selection
        self._statuses = _statuses(act, asked, self._selection)
        self._matched = self._touched = self._searched = self._skipped = 0
        self._skips = list[Skipped]()
        self._replays = list[Replayed]()
        self._is_full = False
        self._unknown = 0

    async def run(self) -> BulkDone:
        """Do it; raises ``RedisUnavailable``, and then nothing was done: later it says how far it came."""
        place, ends_at_s = self._asked.before, time.monotonic() + LONGEST_S
        while True:
            try:
                place = await self._take(await self._select(place))
            except RedisUnavailable as error:
                if not self._touched + self._unknown:
                    raise
                return self._done(place, stopped=error.message)
            is_enough = not self._asked.dry_run and self._matched >= self._asked.limit
            is_long = self._searched >= SEARCHED_MOST or time.monotonic() > ends_at_s
            if place is None or is_enough or is_long or self._is_full:
                return self._done(place)

    async def _select(self, place: str | None) -> Selected:
        return await select(
            self._queue.inspect,
            self._selection,
            self._statuses,
            before=place,
            limit=STEP if self._asked.dry_run else min(STEP, self._asked.limit - self._matched),
            most=SEARCHED_STEP,
        )

    async def _take(self, selected: Selected) -> str | None:
        """Act on what was found; where the search goes on."""
        self._searched += selected.searched
        found: Sequence[PredictionSummary] = selected.found
        if self._selection.ids is None:
            found = await self._act.meant(self._queue, found)
        for missing in selected.missing:
            self._skip(missing, UnknownPrediction(missing))
        self._matched += len(found)
        for first in range(0, len(found), STEP):
            some = found[first : first + STEP]
            came = await self._came(some)
            for one, what in zip(some, came, strict=True):
                if isinstance(what, QueueFull):
                    self._is_full = True
                    self._skip(one.prediction_id, what)
                    return place_above(one)
                if isinstance(what, ZypherError):
                    self._skip(one.prediction_id, what)
                    continue
                self._touched += 1
                if what is not None:
                    self._replays.append(what)
        return selected.next

    async def _came(self, some: Sequence[PredictionSummary]) -> Sequence[Came]:
        if self._asked.dry_run:
            return await self._act.would(self._queue, some)
        try:
            return await self._act.do(self._queue, [one.prediction_id for one in some])
        except RedisUnavailable:
            self._unknown = len(some)
            raise

    def _skip(self, prediction_id: str, error: ZypherError) -> None:
        self._skipped += 1
        if len(self._skips) < SKIPS_SHOWN:
            self._skips.append(Skipped(prediction_id=prediction_id, code=error.code, reason=error.message))

    def _done(self, place: str | None, stopped: str | None = None) -> BulkDone:
        return BulkDone(
            dry_run=self._asked.dry_run,
            matched=self._matched,
            touched=self._touched,
            skipped=self._skipped,
            skips=self._skips,
            replays=self._replays,
            searched=self._searched,
            next=place,
            stopped=stopped,
            unknown=self._unknown,
        )


def _statuses(act: Act, asked: BulkRequest, selection: Selection) -> Sequence[Status]:
    if selection == Selection() and not asked.everything:
        raise MalformedRequest(
            f'Say which predictions to {act.verb}: a filter such as {{"model":"mock"}}, or {{"all":true}} for all.',
            field="$",
        )
    if selection.status is None:
        return act.usual
    if selection.status not in act.statuses:
        raise InvalidInput(f"status must be {' or '.join(act.statuses)} to {act.verb}.", field="$.status")
    return (selection.status,)


def _stopping(prediction_id: str) -> Conflict:
    return Conflict(f"Prediction {prediction_id!r} is being stopped already.")


def _ended(prediction_id: str, status: Status) -> Conflict:
    return Conflict(f"Prediction {prediction_id!r} is {status} and stays as it is.")

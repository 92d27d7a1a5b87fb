"""Which predictions a ``Selection`` means: a bounded search through the newest, page by page."""

import math
from collections.abc import Collection
from typing import NamedTuple

from zypher_jobs.contracts.operation import Selection
from zypher_jobs.contracts.prediction import PredictionSummary, Status
from zypher_jobs.queue.inspect import Inspector

READ_AT_ONCE = 200


class Selected(NamedTuple):
    """A page of them."""

    found: list[PredictionSummary]
    """Newest first; those that were named by id in that order."""
    searched: int
    """Predictions that were looked at."""
    next: str | None = None
    """The place behind which the search goes on; ``None``: it is at its end."""
    missing: tuple[str, ...] = ()
    """Ids that nobody has."""


async def select(
    inspect: Inspector,
    selection: Selection,
    statuses: Collection[Status] = (),
    *,
    before: str | None = None,
    limit: int,
    most: int,
) -> Selected:
    """Up to ``limit`` that fit, of about ``most`` that are looked at.

    Those named by id are all looked at, whatever their status; the others are of ``statuses``, if any is named, else of
    every one. Raises ``RedisUnavailable``.
    """
    if selection.ids is not None:
        return await _named(inspect, selection)
    if before is None and selection.search is not None:
        of_id = [one for one in await inspect.summaries([selection.search]) if one is not None]
        if of_id and fits(selection, of_id[0]):
            return Selected(of_id, 1)
    place = before or _beginning(selection)
    step = READ_AT_ONCE if _is_sieve(selection) else limit
    kept, searched, read = list[PredictionSummary](), 0, 0
    while read < most:
        some, following = await inspect.list_predictions(statuses or None, before=place, limit=step)
        read += step
        for at, one in enumerate(some):
            if selection.created_after is not None and one.created_at < selection.created_after:
                return Selected(kept, searched)
            searched += 1
            if fits(selection, one):
                kept.append(one)
            if len(kept) == limit:
                is_last = following is None and at == len(some) - 1
                return Selected(kept, searched, None if is_last else place_of(one))
        if following is None:
            return Selected(kept, searched)
        place = following
    return Selected(kept, searched, place)


def fits(selection: Selection, one: PredictionSummary) -> bool:
    """Whether a prediction is meant."""
    return (
        selection.status in (None, one.status)
        and selection.model in (None, one.model)
        and selection.priority in (None, one.priority)
        and selection.fingerprint in (None, one.fingerprint)
        and selection.caller in (None, one.caller)
        and (selection.created_after is None or one.created_at >= selection.created_after)
        and (selection.created_before is None or one.created_at < selection.created_before)
        and (selection.search is None or _holds(one, selection.search.casefold()))
    )


def place_of(one: PredictionSummary) -> str:
    """The cursor behind it."""
    return f"{round(one.created_at.timestamp() * 1000)}-{one.prediction_id}"


def place_above(one: PredictionSummary) -> str:
    """A cursor behind which it comes, and maybe some of the same millisecond before it."""
    return f"{round(one.created_at.timestamp() * 1000) + 1}--"


async def _named(inspect: Inspector, selection: Selection) -> Selected:
    ids = list(dict.fromkeys(selection.ids or ()))
    summaries = dict(zip(ids, await inspect.summaries(ids), strict=True))
    found = [one for one in summaries.values() if one is not None and fits(selection, one)]
    return Selected(found, len(ids), None, tuple(each for each, one in summaries.items() if one is None))


def _beginning(selection: Selection) -> str | None:
    if selection.created_before is None:
        return None
    return f"{max(0, math.ceil(selection.created_before.timestamp() * 1000))}-"


def _is_sieve(selection: Selection) -> bool:
    """Whether some of a list of its status and its time may not fit."""
    named = (selection.model, selection.priority, selection.fingerprint, selection.caller, selection.search)
    return any(each is not None for each in named)


def _holds(one: PredictionSummary, text: str) -> bool:
    return one.prediction_id.casefold().startswith(text) or text in one.input_preview.casefold()

"""What a person does to predictions: which are meant, as the server understands it, and the words for what came of it.

A filter of the dashboard goes to the server as one of its own where that means the same to the letter: status, model,
priority, fingerprint, caller, and when it was created. Where it cannot be said (``run>1s``, ``output:cat``, a word),
the ids of those that are known go instead.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.operation import FINGERPRINT, MOST_IDS
from zypher_jobs.contracts.prediction import Mode, Status
from zypher_tui.core import formats
from zypher_tui.core.filters import Filter, Term, bound_ms, instant_ms
from zypher_tui.core.rows import Row, at_of

MOST_NAMED = 20_000
"""Predictions that are sent by their ids at most: the newest."""
MOST_SEEN = 200
"""Rows that are on the screen at most."""
ASK_FOR_NUMBER = 100
"""With more, a person types how many they are."""


class Verb(StrEnum):
    """What is done."""

    CANCEL = "cancel"
    RETRY = "retry"
    REPLAY = "replay"
    DROP = "drop"

    @property
    def done(self) -> str:
        """``Canceled``."""
        return {"cancel": "Canceled", "retry": "Retried", "replay": "Replayed", "drop": "Dropped"}[self.value]

    @property
    def possible(self) -> Sequence[Status]:
        """Those it can be done to."""
        if self is Verb.CANCEL:
            return Status.QUEUED, Status.RUNNING
        if self is Verb.RETRY:
            return (Status.QUEUED,)
        return tuple(status for status in Status if status.is_terminal)

    @property
    def usual(self) -> Sequence[Status]:
        """Those that are meant where a filter names no status; as the server has it."""
        return self.possible if self in (Verb.CANCEL, Verb.RETRY) else (Status.FAILED,)

    @property
    def consequence(self) -> str:
        """What it does, and what cannot be undone."""
        return {
            "cancel": "What waits never runs; what runs is stopped. It cannot be undone, but they can be replayed.",
            "retry": "Each waits no longer for its time: its next attempt begins as its turn comes.",
            "replay": "Each is asked for again, with the same input, as a new prediction that can be canceled.",
            "drop": "Input, output and record of each are gone. It cannot be undone.",
        }[self.value]


def again(statuses: Collection[Status]) -> Verb:
    """What it is to ask again for predictions of those statuses: what waits is retried, what ended is replayed."""
    waits = Status.QUEUED in statuses and not any(status.is_terminal for status in statuses)
    return Verb.RETRY if waits else Verb.REPLAY


class CannotBeMeant(ValueError):
    """The verb does not go with what was chosen; the message says why."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which predictions are meant."""

    says: str
    """``2 marked predictions``, as the end of a sentence."""
    ids: tuple[str, ...] | None = None
    """These."""
    query: dict[str, str] = {}
    """Or those that the server finds with this; empty: all."""
    note: str = ""
    """What there is to know about how they were chosen."""
    known: tuple[str, ...] = ()
    """Ids of those that are known to the dashboard, to be looked at again."""
    once: bool = True
    """Whether what was replayed before, by whomever, is left out."""
    wants_number: bool = False
    """Whether the number is typed, however small."""

    def bodies(self, verb: Verb) -> list[dict[str, object]]:
        """What is asked of the server, one after the other."""
        once: dict[str, object] = {"once": True} if verb is Verb.REPLAY and self.once else {}
        if self.ids is not None:
            some = [self.ids[first : first + MOST_IDS] for first in range(0, len(self.ids), MOST_IDS)]
            return [{"ids": ids, **once} for ids in some]
        named = {name: value for name, value in self.query.items() if name != "created_before"}
        return [{**self.query, **once} if named else {**self.query, **once, "all": True}]


def choose_ids(ids: Sequence[str]) -> Choice:
    """Those that a person marked; one alone may be replayed again, for it is asked about."""
    says = f"prediction {ids[0][:8]}" if len(ids) == 1 else f"{formats.count(len(ids))} marked predictions"
    return Choice(says=says, ids=tuple(ids), known=tuple(ids), once=len(ids) > 1)


def choose_queue(queue: str, rows: Sequence[Row], *, now_ms: int) -> Choice:
    """All that waits in a queue; ``rows`` are those that are known, newest first."""
    query = {"status": Status.QUEUED.value, "priority": queue}
    if now_ms:
        query["created_before"] = _after_all(rows, now_ms)
    return Choice(says=f"all that waits in queue {queue}", query=query, wants_number=True)


def choose(verb: Verb, kept: Filter, rows: Sequence[Row], *, now_ms: int) -> Choice:
    """Those that a filter keeps; ``rows`` are those that are known, newest first. Raises ``CannotBeMeant``."""
    statuses = _statuses(verb, kept)
    known = [row for row in rows if row.status in statuses]
    what = " or ".join(statuses)
    says = f"{what} predictions that the filter keeps: {kept.text}" if kept.terms else f"all {what} predictions"
    query = server_query(kept, known or rows, now_ms=now_ms)
    ids = tuple(row.prediction_id for row in known[:MOST_NAMED])
    if query is None:
        asynchronous = known if verb is Verb.DROP else [row for row in known if row.mode is Mode.ASYNC]
        named = tuple(row.prediction_id for row in asynchronous[:MOST_NAMED])
        note = "The server has no such filter: this means those of them that this dashboard knows."
        if len(asynchronous) > MOST_NAMED:
            note += f" They are {formats.count(len(asynchronous))}; the newest {formats.count(MOST_NAMED)} are meant."
        return Choice(says=says, ids=named, note=note, known=named)
    if now_ms and "created_before" not in query:
        query["created_before"] = _after_all(rows, now_ms)
    return Choice(says=says, query=query, known=ids)


def _after_all(rows: Sequence[Row], now_ms: int) -> str:
    """What comes in while a person reads is not meant; events tell of some before the figures say how late it is."""
    return _instant(max([now_ms, *(row.created_ms for row in rows[:MOST_SEEN])]) + 1)


def named_statuses(kept: Filter) -> Sequence[Status] | None:
    """Those that a filter keeps; ``None``: it does not say."""
    named = [term for term in kept.terms if term.name == "status" and not term.is_negated]
    return [status for status in Status if all(_is_status(term.word, status) for term in named)] if named else None


def _statuses(verb: Verb, kept: Filter) -> Sequence[Status]:
    of_filter = named_statuses(kept)
    if of_filter is None:
        return verb.usual
    statuses = [status for status in of_filter if status in verb.possible]
    if not statuses:
        raise CannotBeMeant(
            f"What is {' or '.join(of_filter) or 'of no status'} cannot be {_participle(verb)}; "
            f"only what is {' or '.join(verb.possible)}."
        )
    return statuses


def _is_status(word: str, status: Status) -> bool:
    patterns = word.lower().split(",")
    return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), status) is not None for each in patterns)


def _participle(verb: Verb) -> str:
    return verb.done.lower()


def server_query(kept: Filter, rows: Sequence[Row], *, now_ms: int) -> dict[str, str] | None:
    """The same as a filter of the server; ``None`` where it has none that means the same.

    The server tells capital letters apart, the dashboard does not: ``rows`` that are kept say how a name is spelt.
    """
    query: dict[str, str] = {}
    after_ms: list[int] = []
    before_ms: list[int] = []
    for term in kept.terms:
        if term.is_negated or not term.name:
            return None
        if term.name in ("created", "age"):
            if not now_ms:
                return None
            _bound_in(term, after_ms, before_ms, now_ms)
            continue
        value = _value(term, rows)
        if value is None or query.setdefault(term.name, value) != value:
            return None
    if after_ms:
        query["created_after"] = _instant(max(after_ms))
    if before_ms:
        query["created_before"] = _instant(min(before_ms))
    return query


def _value(term: Term, rows: Sequence[Row]) -> str | None:
    word = term.word
    if term.sign != ":" or not word or "*" in word or "," in word:
        return None
    if term.name in ("status", "priority"):
        return word.lower()
    if term.name == "fingerprint":
        return word.lower() if re.fullmatch(FINGERPRINT, word.lower()) else None
    if term.name in ("model", "caller"):
        spelt = {row.model if term.name == "model" else row.caller for row in rows}
        return word if not spelt else spelt.pop() if len(spelt) == 1 else None
    return None


def _bound_in(term: Term, after_ms: list[int], before_ms: list[int], now_ms: int) -> None:
    """``created_after`` is at or after an instant, ``created_before`` before it; ages count the other way round."""
    sign = term.sign
    if term.name == "created":
        at_ms = instant_ms(term.word, now_ms)
    else:
        at_ms = now_ms - round(bound_ms(term.word))
        sign = sign.translate(str.maketrans("<>", "><"))
    match sign:
        case ">":
            after_ms.append(at_ms + 1)
        case ">=":
            after_ms.append(at_ms)
        case "<":
            before_ms.append(at_ms)
        case _:
            before_ms.append(at_ms + 1)


def _instant(ms: int) -> str:
    return at_of(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of a choice before anything is done."""

    possible: int = 0
    """Those that it would be done to."""
    skipped: int = 0
    why: str = ""
    """Of the first that would be skipped."""
    is_all: bool = True
    """Whether the server has looked at all there are."""

    @property
    def number(self) -> str:
        """``1234``, as a person types it."""
        return str(self.possible)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    sentence: str
    touched: int = 1
    replays: dict[str, str] = {}
    """Old id → new one."""
    gone: tuple[str, ...] = ()
    """Ids that are dropped for certain."""


def predictions(number: int) -> str:
    """``1 prediction``, ``1,234 predictions``."""
    return "1 prediction" if number == 1 else f"{number:,} predictions"


def ending(why: str) -> str:
    """A sentence as the end of another."""
    return why.rstrip(". ")


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what was done from here."""

    at: datetime
    sentence: str
    is_well: bool

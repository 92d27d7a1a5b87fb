"""Failures of the same kind, found among rows: how many, since when, where; and what went well last."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.rows import Row

LOOKED_AT = 5_000
"""Rows that one question looks at, from the newest back."""
NAMED = 8
"""Models and workers that a group names; it counts the rest."""
LABEL_CHARS = 80


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Failed predictions whose errors have one fingerprint."""

    fingerprint: str
    """Or the code, where there is none."""
    code: str
    message: str
    """Of the newest."""
    count: int
    first_ms: int
    last_ms: int
    newest_id: str
    models: tuple[str, ...]
    """By name, ``NAMED`` at most."""
    workers: tuple[str, ...]
    versions: tuple[str, ...]

    @property
    def label(self) -> str:
        """What it says, in one short line."""
        return label(self.code, self.message)


def label(code: str, message: str) -> str:
    """The message's first line, or the code where there is none."""
    text = message.split("\n", 1)[0].strip() or code or "unknown error"
    return text if len(text) <= LABEL_CHARS else text[: LABEL_CHARS - 1] + "…"


def newest(rows: Sequence[Row], *, most: int = LOOKED_AT) -> Iterator[Row]:
    """The last rows, newest first: bounded work, however many there are."""
    for index in range(len(rows) - 1, max(len(rows) - most, 0) - 1, -1):
        yield rows[index]


def group(failed: Iterable[Row]) -> list[ErrorGroup]:
    """Of these, in any order; most frequent first, then newest."""
    found: dict[str, list[Row]] = {}
    for row in failed:
        found.setdefault(kind(row), []).append(row)
    made = [_group(name, members) for name, members in found.items()]
    return sorted(made, key=lambda each: (-each.count, -each.last_ms, each.fingerprint))


def kind(row: Row) -> str:
    """What makes two failures the same."""
    return row.fingerprint or row.error_code


def elsewhere(rows: Sequence[Row], row: Row) -> ErrorGroup | None:
    """The same error in other predictions; ``None`` where there are none."""
    if not kind(row):
        return None
    others = (
        each
        for each in newest(rows)
        if each.status is Status.FAILED and kind(each) == kind(row) and each.prediction_id != row.prediction_id
    )
    return next(iter(group(others)), None)


def last_good(rows: Sequence[Row], row: Row) -> Row | None:
    """The newest prediction of the same model that succeeded before this one ended."""
    until_ms = row.finished_ms if row.finished_ms is not None else row.created_ms
    best: Row | None = None
    for each in newest(rows):
        if each.status is not Status.SUCCEEDED or each.model != row.model or each.finished_ms is None:
            continue
        if each.finished_ms <= until_ms and (best is None or each.finished_ms > (best.finished_ms or 0)):
            best = each
    return best


def _group(fingerprint: str, members: list[Row]) -> ErrorGroup:
    last = max(members, key=_ended)
    return ErrorGroup(
        fingerprint=fingerprint,
        code=last.error_code,
        message=last.error_message,
        count=len(members),
        first_ms=min(_ended(each)[0] for each in members),
        last_ms=_ended(last)[0],
        newest_id=last.prediction_id,
        models=_names(each.model for each in members),
        workers=_names(each.worker for each in members),
        versions=_names(each.version for each in members),
    )


def _ended(row: Row) -> tuple[int, str]:
    return row.finished_ms if row.finished_ms is not None else row.created_ms, row.prediction_id


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name})[:NAMED])

"""One prediction as named lines: what the detail pane shows."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from zypher_jobs.contracts.prediction import Prediction
from zypher_tui.core import formats
from zypher_tui.core.cleaning import clean_lines
from zypher_tui.core.rows import Row, at_of

MAX_OUTPUT_CHARS = 20_000

Tone = Literal["plain", "dim", "status", "error"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its clean lines, not yet broken to a width."""

    name: str
    lines: list[str]
    tone: Tone = "plain"


def describe(row: Row, whole: Prediction | None, note: str | None) -> list[Field]:
    """All that is known. ``whole`` wins over its row; ``note`` says why there is no ``whole``."""
    known = whole or row
    created, started, finished = _times(row, whole)
    fields = [
        Field(name="id", lines=[known.prediction_id]),
        Field(name="status", lines=[known.status.value], tone="status"),
        Field(name="model", lines=[f"{known.model} · {known.mode.value}"]),
        Field(name="created", lines=[formats.instant(created)]),
        Field(name="started", lines=[formats.instant(started)]),
        Field(name="finished", lines=[formats.instant(finished)]),
        Field(name="waited", lines=[formats.duration_ms(known.wait_ms)]),
        Field(name="ran", lines=[formats.duration_ms(known.run_ms)]),
        Field(name="attempts", lines=[str(known.attempts)]),
        Field(name="worker", lines=[known.worker or formats.UNKNOWN]),
    ]
    if whole is not None and whole.queue_position is not None:
        fields.append(Field(name="ahead of it", lines=[formats.count(whole.queue_position)]))
    if whole is not None and whole.progress is not None and not whole.status.is_terminal:
        shown = formats.progress(whole.progress, whole.progress_message)
        fields.append(Field(name="progress", lines=[shown]))
    if whole is not None and whole.log:
        fields.append(Field(name="log", lines=whole.log))
    if known.error is not None:
        fields.append(Field(name="error", lines=[f"{known.error.message} ({known.error.code})"], tone="error"))
    fields.append(Field(name="input", lines=[row.input_preview or formats.UNKNOWN]))
    fields.append(Field(name="output", lines=_output(row, whole)))
    if note:
        fields.append(Field(name="", lines=[note], tone="dim"))
    return fields


def _times(row: Row, whole: Prediction | None) -> tuple[datetime | None, ...]:
    if whole is not None:
        return whole.created_at, whole.started_at, whole.finished_at
    return tuple(None if ms is None else at_of(ms) for ms in (row.created_ms, row.started_ms, row.finished_ms))


def _output(row: Row, whole: Prediction | None) -> list[str]:
    if whole is None or whole.output is None:
        return [row.output_preview or formats.UNKNOWN]
    return clean_lines(_json(whole.output), max_chars=MAX_OUTPUT_CHARS)


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()

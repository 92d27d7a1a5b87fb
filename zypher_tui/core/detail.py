"""One prediction as named lines: what the detail pane shows."""

from typing import Any, Literal

import msgspec

from zypher_jobs.contracts.prediction import Prediction, PredictionSummary
from zypher_tui.core import formats
from zypher_tui.core.cleaning import clean_lines

MAX_OUTPUT_CHARS = 20_000

Tone = Literal["plain", "dim", "status", "error"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its clean lines, not yet broken to a width."""

    name: str
    lines: list[str]
    tone: Tone = "plain"


def describe(summary: PredictionSummary, whole: Prediction | None, note: str | None) -> list[Field]:
    """All that is known. ``whole`` wins over its summary; ``note`` says why there is no ``whole``."""
    known = whole or summary
    fields = [
        Field(name="id", lines=[known.prediction_id]),
        Field(name="status", lines=[known.status.value], tone="status"),
        Field(name="model", lines=[f"{known.model} · {known.mode.value}"]),
        Field(name="created", lines=[formats.instant(known.created_at)]),
        Field(name="started", lines=[formats.instant(known.started_at)]),
        Field(name="finished", lines=[formats.instant(known.finished_at)]),
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
    fields.append(Field(name="input", lines=[summary.input_preview or formats.UNKNOWN]))
    fields.append(Field(name="output", lines=_output(summary, whole)))
    if note:
        fields.append(Field(name="", lines=[note], tone="dim"))
    return fields


def _output(summary: PredictionSummary, whole: Prediction | None) -> list[str]:
    if whole is None or whole.output is None:
        return [summary.output_preview or formats.UNKNOWN]
    return clean_lines(_json(whole.output), max_chars=MAX_OUTPUT_CHARS)


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()

"""Predictions that ran in an API process, as the record script wants them."""

import msgspec

from zypher_jobs.contracts.prediction import PREVIEW_CHARS, Mode, SyncOutcome
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.queue.rows import Record, Recorded

_encode = msgspec.msgpack.Encoder().encode


def record_of(outcome: SyncOutcome) -> Record:
    """What is written of one: its record unless it is only counted, its output as MessagePack."""
    wait_ms = outcome.started_at_ms - outcome.created_at_ms
    run_us = round(outcome.run_ms * 1000)
    kept = outcome.keep_record
    recorded = Recorded(
        *(outcome.prediction_id, outcome.model, Mode.SYNC, outcome.status),
        *(bucket_of(wait_ms), wait_ms * 1000, bucket_of(outcome.run_ms), run_us, bucket_of(wait_ms + outcome.run_ms)),
        outcome.created_at_ms,
        _fields(outcome, run_us) if kept else None,
    )
    return Record(recorded, _encode(outcome.output) if kept and outcome.error is None else b"")


def _fields(outcome: SyncOutcome, run_us: int) -> list[str | int]:
    fields: list[str | int] = [
        *("status", outcome.status, "model", outcome.model, "version", outcome.version, "mode", Mode.SYNC),
        *("attempts", 1, "worker", outcome.worker),
        *("created_at_ms", outcome.created_at_ms, "started_at_ms", outcome.started_at_ms),
        *("finished_at_ms", outcome.started_at_ms + round(outcome.run_ms), "run_us", run_us),
        *("input_preview", outcome.input_preview[:PREVIEW_CHARS], "input_bytes", outcome.input_bytes),
        *("output_preview", outcome.output_preview[:PREVIEW_CHARS], "output_bytes", outcome.output_bytes),
    ]
    if outcome.load_ms:
        fields += ("load_us", round(outcome.load_ms * 1000))
    if outcome.caller:
        fields += ("caller", outcome.caller)
    if outcome.trace:
        fields += ("trace", outcome.trace)
    if outcome.error is not None:
        fields += ("error_code", outcome.error.code, "error_message", outcome.error.message)
    return fields

"""The hashes in which finishes are counted → counts and histograms."""

from collections.abc import Mapping

import msgspec

from zypher_jobs.contracts.prediction import Mode, Status
from zypher_jobs.contracts.stats import LatencyHistogram, PredictionCount
from zypher_jobs.queue.latency import BOUNDS_MS


def counts_of(fields: Mapping[bytes, bytes]) -> list[PredictionCount]:
    """Of the hash ``zypher:counts``."""
    counts: list[PredictionCount] = []
    for name, count in sorted(fields.items()):
        model, mode, status = name.decode().rsplit("|", 2)
        counts.append(PredictionCount(model=model, mode=Mode(mode), status=Status(status), count=int(count)))
    return counts


def latencies_of(fields: Mapping[bytes, bytes]) -> list[LatencyHistogram]:
    """Of the hash ``zypher:latency``: ``model|mode|kind|bucket`` → count, ``model|mode|kind|sum`` → µs.

    Kinds are ``wait``, ``run`` and ``total``; a histogram that has no field is absent.
    """
    histograms: dict[tuple[str, str, str], LatencyHistogram] = {}
    for name, count in sorted(fields.items()):
        model, mode, kind, bucket = name.decode().rsplit("|", 3)
        key = (model, mode, kind)
        known = histograms.get(key) or LatencyHistogram(
            model=model,
            mode=Mode(mode),
            kind=kind,
            bounds_ms=list(BOUNDS_MS),
            counts=[0] * (len(BOUNDS_MS) + 1),
            sum_ms=0,
        )
        if bucket == "sum":
            known = msgspec.structs.replace(known, sum_ms=int(count) / 1000)
        elif int(bucket) < len(known.counts):
            known.counts[int(bucket)] = int(count)
        histograms[key] = known
    return list(histograms.values())

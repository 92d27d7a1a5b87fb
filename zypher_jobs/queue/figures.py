"""The hashes in which finishes are counted → counts and histograms."""

from collections.abc import Mapping

from zypher_jobs.contracts.prediction import Mode, Status
from zypher_jobs.contracts.stats import LatencyHistogram, PredictionCount
from zypher_jobs.queue.latency import BOUNDS_MS

KINDS = ("wait", "run", "total")
"""Created → started, started → finished, and both."""


def counts_of(fields: Mapping[bytes, bytes]) -> list[PredictionCount]:
    """Of the hash ``zypher:counts``."""
    counts: list[PredictionCount] = []
    for name, count in sorted(fields.items()):
        model, mode, status = name.decode().rsplit("|", 2)
        counts.append(PredictionCount(model=model, mode=Mode(mode), status=Status(status), count=int(count)))
    return counts


def latencies_of(fields: Mapping[bytes, bytes]) -> list[LatencyHistogram]:
    """Of the hash ``zypher:latency``: ``model|mode|at|wait.run.total`` counts what fell into those three buckets,
    ``model|mode|wait|sum`` and ``…|run|sum`` are µs. Each model and mode has one histogram of each of ``KINDS``.
    """
    counts: dict[tuple[str, str], list[list[int]]] = {}
    sums_us: dict[tuple[str, str], dict[str, int]] = {}
    for name, count in sorted(fields.items()):
        model, mode, kind, what = name.decode().rsplit("|", 3)
        if kind == "at":
            each = counts.setdefault((model, mode), [[0] * (len(BOUNDS_MS) + 1) for _ in KINDS])
            for buckets, bucket in zip(each, what.split("."), strict=True):
                buckets[min(int(bucket), len(BOUNDS_MS))] += int(count)
        else:
            sums_us.setdefault((model, mode), {})[kind] = int(count)
    histograms: list[LatencyHistogram] = []
    for (model, mode), each in counts.items():
        sums = sums_us.get((model, mode), {})
        sums["total"] = sum(sums.values())
        histograms += [
            LatencyHistogram(
                model=model,
                mode=Mode(mode),
                kind=kind,
                bounds_ms=list(BOUNDS_MS),
                counts=buckets,
                sum_ms=sums.get(kind, 0) / 1000,
            )
            for kind, buckets in zip(KINDS, each, strict=True)
        ]
    return histograms

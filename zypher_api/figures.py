"""``Figures``: what the models and the recorder of this process count, written to its lane for all to see.

Requests are counted there at once (``HttpMeter``). These are copied once a second, and when someone asks this process:
of one that is killed, the last second of them is lost.
"""

import asyncio
import math
from collections.abc import Sequence

from zypher_api.gate import Gate
from zypher_api.recorder import Recorder
from zypher_jobs import metrics
from zypher_jobs.board import Cells, Labels, Lane
from zypher_jobs.metrics import Metric
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.doorkeeper import Doorkeeper

PUBLISH_S = 1.0
_GAUGES = (metrics.MODEL_READY, metrics.BATCH_LIMIT, metrics.BATCHER_WAITING, metrics.CACHE_BYTES)


class Figures:
    """Everything that is not counted in the lane itself."""

    def __init__(self, lane: Lane, registry: ModelRegistry, recorder: Recorder, gate: Gate) -> None:
        self._lane = lane
        self._registry = registry
        self._recorder = recorder
        self._gate = gate
        self._counters: dict[tuple[str, Labels], _Growing] = {}
        names = {gauge.name for gauge in _GAUGES}
        self._gauges = {(family, labels): cells for family, labels, cells in lane.rows() if family in names}

    async def keep_publishing(self) -> None:
        """Until canceled."""
        while True:
            self.publish()
            await asyncio.sleep(PUBLISH_S)

    def publish(self) -> None:
        """Write all of them. A gauge of what is no more, a version say, becomes "not a number"."""
        gone = set(self._gauges)
        for model in self._registry.all():
            labels = (model.name, model.version)
            for metric, value in self._of_model(model, labels):
                gone.discard((metric.name, labels))
                self._gauge(metric, labels)[0] = value
        for key in gone:
            self._gauges[key][0] = math.nan
        self._shed(("", ""), self._gate.door)
        self._grow(metrics.UNRECORDED, (), [self._recorder.dropped])

    def _of_model(self, model: ServedModel, labels: Labels) -> list[tuple[Metric, float]]:
        """Write its counters; its gauges."""
        gauges: list[tuple[Metric, float]] = [(metrics.MODEL_READY, model.ready)]
        self._shed(labels, model.door)
        if (batcher := model.batcher) is not None:
            counts = batcher.counts
            self._grow(metrics.BATCH_SIZE, labels, [*counts.by_size, counts.predictions])
            self._grow(metrics.BATCH_WAIT, labels, [*counts.by_wait, counts.waited_ms / 1000])
            gauges += [(metrics.BATCH_LIMIT, batcher.limit), (metrics.BATCHER_WAITING, batcher.waiting)]
        if (cache := model.cache) is not None:
            for use, count in cache.uses.items():
                self._grow(metrics.CACHE_USES, (*labels, use), [count])
            gauges.append((metrics.CACHE_BYTES, cache.size))
        return gauges

    def _shed(self, labels: Labels, door: Doorkeeper) -> None:
        for reason, count in door.refused.items():
            self._grow(metrics.SHED, (*labels, reason), [count])

    def _gauge(self, metric: Metric, labels: Labels) -> Cells:
        cells = self._gauges.get((metric.name, labels))
        if cells is None:
            cells = self._gauges[metric.name, labels] = self._lane.cells(metric.name, labels, 1)
        return cells

    def _grow(self, metric: Metric, labels: Labels, values: Sequence[float]) -> None:
        growing = self._counters.get((metric.name, labels))
        if growing is None:
            cells = self._lane.cells(metric.name, labels, len(values))
            growing = self._counters[metric.name, labels] = _Growing(cells)
        growing.reach(values)


class _Growing:
    """Cells that only grow, though what they follow may begin anew: a version that left and came back."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._last: Sequence[float] = [0] * len(cells)

    def reach(self, values: Sequence[float]) -> None:
        if any(now < before for now, before in zip(values, self._last, strict=True)):
            self._last = [0] * len(values)
        for number, (now, before) in enumerate(zip(values, self._last, strict=True)):
            self._cells[number] += now - before
        self._last = values

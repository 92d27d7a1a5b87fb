"""How full a worker was, and how large, over time: out of the timeline's frames, each of which is unpacked once."""

from collections.abc import Mapping

from zypher_tui.core.timeline import Timeline

Point = tuple[int, int]
"""Predictions that it ran, and its bytes."""
Points = list[tuple[float, float | None]]
MOST_FRAMES = 400


class WorkerSeries:
    """Of all workers, for as long as a chart shows."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._frames: dict[float, Mapping[str, Point]] = {}

    def points(self, worker_id: str, *, start_s: float, end_s: float) -> tuple[Points, Points]:
        """What it ran and its bytes, by time; ``None`` where it was not there."""
        running: Points = []
        memory: Points = []
        times = self._timeline.times(start_s, end_s)[-MOST_FRAMES:]
        for at_s in times:
            found = self._frame(at_s).get(worker_id)
            running.append((at_s, None if found is None else float(found[0])))
            memory.append((at_s, None if found is None else float(found[1])))
        if len(self._frames) > 2 * MOST_FRAMES:
            self._frames = {at_s: self._frames[at_s] for at_s in times}
        return running, memory

    def _frame(self, at_s: float) -> Mapping[str, Point]:
        known = self._frames.get(at_s)
        if known is None:
            frame = self._timeline.at(at_s)
            workers = frame.overview.workers if frame is not None and frame.overview is not None else ()
            known = self._frames[at_s] = {worker.worker_id: (worker.running, worker.rss_bytes) for worker in workers}
        return known

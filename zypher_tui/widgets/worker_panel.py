"""The worker under the cursor: who it is, how it stands, how full and how large it was."""

from collections.abc import Sequence

from textual.strip import Strip

from zypher_tui.core import cells, formats
from zypher_tui.core.history import columns
from zypher_tui.core.rows import at_of, ms_of
from zypher_tui.core.view import View
from zypher_tui.core.worker_rows import Condition, Work, WorkerRow, became
from zypher_tui.core.worker_series import Points, WorkerSeries
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, entitle, line
from zypher_tui.widgets.sparks import spark
from zypher_tui.widgets.workers import condition_part

NAME_CELLS = 8
STEP_S = 1.0
"""What one column of a chart stands for."""
SHORT_LINES = 7
"""With less room it says only the first three facts."""
CHART_LINES = 2, 16
"""The least and the most, as many as there is room for."""


class WorkerPanel(LineWidget):
    """Facts in lines, and two small charts below them."""

    def __init__(self, *, id: str, series: WorkerSeries) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._series = series
        self._shown: tuple[WorkerRow | None, View | None, Sequence[Work]] = (None, None, ())
        self._lines: list[list[Part]] = []
        self.border_title = "Worker"

    def show(self, row: WorkerRow | None, view: View, work: Sequence[Work]) -> None:
        """Draw anew if something changed."""
        self._shown = (row, view, work)
        self._lay_out()

    def on_resize(self) -> None:
        """The charts have another width."""
        self._lay_out()

    def line_at(self, y: int) -> Strip:
        """A line of facts or of the charts."""
        return line(self._lines[y] if y < len(self._lines) else [], self.size.width)

    def _lay_out(self) -> None:
        row, view, work = self._shown
        width, height = self.size
        lines = [] if row is None or view is None else facts(row, view, work, width)
        if height < SHORT_LINES:
            del lines[3:]
        entitle(self, "Worker" if row is None else f"Worker {row.worker.worker_id}")
        if row is not None and view is not None and width > 20:
            room = height - len(lines) - 1
            lines += self._charts(row, view, width, min(room, CHART_LINES[1])) if room >= CHART_LINES[0] else []
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def _charts(self, row: WorkerRow, view: View, width: int, height: int) -> list[list[Part]]:
        """How full it was on the left, its memory on the right."""
        half = (width - 3) // 2
        span_s = 2 * half * STEP_S
        running, memory = self._series.points(row.worker.worker_id, start_s=view.now_s - span_s - 4, end_s=view.now_s)
        sizes = [value for _, value in memory if value is not None]
        low, high = min(sizes, default=0), max(sizes, default=0)
        shown = dict.fromkeys(formats.size_bytes(int(size)) for size in (low, high) if sizes)
        margin = max((high - low) * 0.1, 1e6)
        left = _chart(running, view, half, height, 0, max(row.worker.slots, 1))
        right = _chart(memory, view, half, height, low - margin, high + margin)
        names = (
            f"slots in use, of {row.worker.slots} · last {formats.age_s(span_s)}",
            f"memory {' to '.join(shown)}",
        )
        style = palette.FILL
        titles: list[Part] = [(" " + cells.fit(name, half), palette.DIM) for name in names]
        drawn = [[(" " + a, style), (" " + b, style)] for a, b in zip(left, right, strict=True)]
        return [titles, *drawn]


def _chart(points: Points, view: View, width: int, height: int, low: float, high: float) -> list[str]:
    values = columns(points, end_s=view.now_s, step_s=STEP_S, count=2 * width)
    return spark(values, height=height, low=low, high=high)


def facts(row: WorkerRow, view: View, work: Sequence[Work], width: int) -> list[list[Part]]:
    """State, place, work done, models."""
    worker = row.worker
    ended = worker.succeeded + worker.failed
    share = f" ({formats.share(worker.failed / ended)})" if worker.failed else ""
    until_ms = row.departed.gone_ms if row.departed else view.now_ms
    up = formats.age_s((until_ms - ms_of(worker.started_at)) / 1000)
    place = f"{worker.host} · pid {worker.pid} · Zypher {worker.version} · {'lived' if row.departed else 'up'} {up}"
    good = f"{formats.count(worker.succeeded)} succeeded · "
    bad = f"{formats.count(worker.failed)} failed{share}"
    return [
        _fact("state", [condition_part(row.condition), (_state(row, work), palette.PLAIN)], width),
        _fact("process", [(place, palette.PLAIN)], width),
        _fact("did", [(good, palette.PLAIN), (bad, palette.ERROR if worker.failed else palette.PLAIN)], width),
        _fact("models", [(" ".join(worker.models) or "—", palette.DIM)], width),
    ]


def _state(row: WorkerRow, work: Sequence[Work]) -> str:
    worker, seen = row.worker, formats.age_s((row.seen_ms + row.stale_ms) / 1000)
    gone = formats.age_s(row.gone_for_ms / 1000)
    match row.condition:
        case Condition.READY:
            return f" · {worker.running} of {worker.slots} slots in use · heartbeat {seen} ago"
        case Condition.LATE:
            return f" · no heartbeat for {seen}; after 5 s others take over what it runs"
        case Condition.DRAINING:
            return f" · takes no more, {worker.running} left · heartbeat {seen} ago"
        case Condition.LOST:
            return f" {gone} ago, last heartbeat {formats.clock(worker.seen_at)} · {became(work, worker.worker_id)}"
        case Condition.DRAINED | Condition.STOPPED:
            at = formats.clock(at_of(row.departed.gone_ms)) if row.departed else formats.UNKNOWN
            return f" {gone} ago, at {at}: it said goodbye, nothing is lost"
        case Condition.GONE:
            return f" {gone} ago, last heartbeat {formats.clock(worker.seen_at)}: nobody saw how it went"


def _fact(name: str, parts: list[Part], width: int) -> list[Part]:
    shown: list[Part] = [(f" {name:<{NAME_CELLS}}", palette.DIM)]
    room = width - NAME_CELLS - 2
    for text, style in parts:
        kept = cells.cut(text, room)
        shown.append((kept, style))
        room -= cells.width(kept)
    return shown

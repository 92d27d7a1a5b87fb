"""The queues: what waits in each, for how long, and when it will have ended."""

from zypher_tui.core import cells, formats
from zypher_tui.core.queue_rows import QueueRow, queue_rows
from zypher_tui.core.view import View
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.widgets.columns import Column
from zypher_tui.widgets.drawing import Part
from zypher_tui.widgets.table import Table


class QueueTable(Table[QueueRow]):
    """One line for each priority, the highest first."""

    ABOUT = Help(
        "Queues in a table",
        "One for each priority; of ten that begin, six are high, three normal and one low, as long as each has some.",
        (
            ("oldest", "How long the first in line has waited"),
            ("per s", "Predictions of it that ended, over the last 20 s"),
            ("empty in", "Until all that wait now have ended, at that rate"),
            ("■ paused", "Workers leave it alone until it is resumed"),
        ),
    )

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, columns=COLUMNS, key=lambda row: row.queue.name)
        self.border_title = "Queues"

    def show_view(self, view: View) -> None:
        """Show the view's queues."""
        self.show(queue_rows(view.overview), empty=[[("…", palette.DIM)]])


def _empty_in(row: QueueRow, width: int) -> list[Part]:
    if row.queue.paused:
        return [(cells.cut("■ paused", width), palette.WARNING)]
    empty_ms = None if row.empty_s is None else row.empty_s * 1000
    return [(formats.duration_ms(empty_ms), palette.PLAIN if empty_ms else palette.DIM)]


COLUMNS: list[Column[QueueRow]] = [
    Column(
        title="queue", width=6, grow=1, most=12,
        draw=lambda row, width: [(cells.cut(row.queue.name, width), palette.PLAIN)],
    ),
    Column(
        title="waiting", width=7, grow=1, most=12, right=True, order=lambda row: row.queue.depth, descends=True,
        draw=lambda row, _: [(formats.count(row.queue.depth), palette.STRONG if row.queue.depth else palette.DIM)],
    ),
    Column(
        title="running", width=7, grow=1, most=12, right=True, leave=3, order=lambda row: row.queue.running,
        descends=True, draw=lambda row, _: [(formats.count(row.queue.running), palette.PLAIN)],
    ),
    Column(
        title="oldest", width=7, grow=1, most=12, right=True, leave=1, order=lambda row: row.queue.oldest_age_ms,
        descends=True, draw=lambda row, _: [(formats.duration_ms(row.queue.oldest_age_ms), palette.PLAIN)],
    ),
    Column(
        title="per s", width=6, grow=1, most=12, right=True, leave=2, order=lambda row: row.drain.ended_per_s,
        descends=True, draw=lambda row, _: [(formats.rate(row.drain.ended_per_s), palette.DIM)],
    ),
    Column(
        title="empty in", width=8, grow=1, most=12, right=True, draw=_empty_in, order=lambda row: row.empty_s,
        descends=True,
    ),
]  # fmt: skip

"""Versions of models in a table: how each process has them, who gets the traffic, how fast and how well they answer."""

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import cells, formats
from zypher_tui.core.model_rows import Condition, ModelRow
from zypher_tui.core.view import View
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.widgets.columns import Column
from zypher_tui.widgets.drawing import Part, entitle
from zypher_tui.widgets.table import Table
from zypher_tui.widgets.workers import bar


class ModelTable(Table[ModelRow]):
    """One line for each version."""

    ABOUT = Help(
        "Models in a table",
        "One version in each line, out of the newest 5,000 predictions.",
        (
            ("state", "How processes have it, and how many of them: 5/5"),
            ("per s", "Ended per second, in the last minute"),
            ("batch", "Mean and most, in all processes together"),
            ("◆", "Marked, to be compared"),
        ),
    )

    FOLLOWS_FIRST = True

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        self.marked: list[str] = []
        """``name@version`` of those that a person marked, in that order."""
        super().__init__(id=id, columns=self._columns(), key=lambda row: row.key)
        entitle(self, "Models")

    def show_rows(self, view: View, rows: list[ModelRow], note: str) -> None:
        """Show these; ``note`` says where they are from if that is not the API."""
        names = len({row.model for row in rows})
        versions = "1 version" if len(rows) == 1 else f"{len(rows)} versions"
        entitle(self, f"Models · {names}, {versions}" if rows else "Models")
        entitle(self, note, below=True)
        hint = "No model is known." if view.has_figures else "…"
        self.show(rows, empty=[[(hint, palette.DIM)]], version=(rows, tuple(self.marked)))

    def _columns(self) -> list[Column[ModelRow]]:
        return [
            Column(title="model", width=16, grow=2, most=40, order=lambda row: row.key, draw=self._name),
            Column(
                title="state", width=12, order=lambda row: list(Condition).index(row.condition), descends=True,
                draw=lambda row, width: [condition_part(row, width)],
            ),
            Column(
                title="traffic", width=11, grow=2, most=96, draw=_traffic, order=lambda row: row.share, descends=True,
            ),
            Column(
                title="waits", width=5, right=True, leave=4, order=lambda row: row.waiting, descends=True,
                draw=lambda row, _: [(formats.count(row.waiting), palette.PLAIN if row.waiting else palette.DIM)],
            ),
            Column(
                title="per s", width=5, right=True, order=lambda row: row.per_s, descends=True,
                draw=lambda row, _: [(formats.rate(row.per_s), palette.PLAIN if row.per_s else palette.DIM)],
            ),
            Column(
                title="failed", width=6, right=True, descends=True, draw=_failed,
                order=lambda row: row.stats.failed_share if row.stats else None,
            ),
            Column(
                title="run p50·p95", width=15, right=True, descends=True, draw=_times,
                order=lambda row: row.stats.run.percentile(0.95) if row.stats else None,
            ),
            Column(title="batch", width=6, right=True, leave=3, draw=_batch),
            Column(
                title="ended", width=5, right=True, leave=2, descends=True,
                order=lambda row: row.stats.ended if row.stats else None,
                draw=lambda row, _: [(formats.count(row.stats.ended) if row.stats else "0", palette.DIM)],
            ),
        ]  # fmt: skip

    def _name(self, row: ModelRow, width: int) -> list[Part]:
        mark: list[Part] = [("◆ ", palette.MARK)] if row.key in self.marked else []
        room = width - 2 * len(mark)
        version = f"@{row.version}" if row.version else ""
        name = cells.cut(row.model, max(room - cells.width(version), 1))
        return [*mark, (name, palette.PLAIN), (cells.cut(version, room - cells.width(name)), palette.BRAND)]


def condition_part(row: ModelRow, width: int) -> Part:
    """Glyph, word, and in how many processes."""
    glyph, style = {
        Condition.READY: palette.STATUS[Status.SUCCEEDED],
        Condition.LOADING: palette.STATUS[Status.RUNNING],
        Condition.ASLEEP: ("◌", palette.DIM),
        Condition.FAILED: palette.STATUS[Status.FAILED],
        Condition.UNKNOWN: ("?", palette.DIM),
    }[row.condition]
    so, among = row.processes
    text = f"{glyph} {row.condition.value}" + (f" {so}/{among}" if among else "")
    return cells.cut(text, width), style


def _traffic(row: ModelRow, width: int) -> list[Part]:
    if row.is_shadow:
        return [(cells.cut("shadow", width), palette.STATUS[Status.CANCELED][1])]
    if row.found is None:
        return [(formats.UNKNOWN, palette.DIM)]
    text = formats.share(row.share)
    room = width - 6
    if not row.share:
        return [("─" * room, palette.FRAME), (f"{text:>6}", palette.DIM)]
    return [*bar(row.share, 1, room), (f"{text:>6}", palette.PLAIN)]


def _failed(row: ModelRow, _: int) -> list[Part]:
    share = row.stats.failed_share if row.stats else None
    return [(formats.share(share), palette.ERROR if share else palette.DIM)]


def _times(row: ModelRow, _: int) -> list[Part]:
    run = row.stats.run if row.stats else None
    if run is None or not run.count:
        return [(formats.UNKNOWN, palette.DIM)]
    return [
        (formats.duration_ms(run.percentile(0.5)), palette.PLAIN),
        (" · ", palette.DIM),
        (formats.duration_ms(run.percentile(0.95)), palette.PLAIN),
    ]


def _batch(row: ModelRow, _: int) -> list[Part]:
    """Mean and most."""
    batching = row.batching
    if batching is None:
        return [(formats.UNKNOWN, palette.DIM)]
    mean = f"{batching.mean_batch_size:.1f}" if batching.batches else formats.UNKNOWN
    return [(f"{mean}/{batching.max_batch_size}", palette.PLAIN)]

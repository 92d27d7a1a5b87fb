"""The figures on top: seven cards, or two plain lines where the screen is short."""

from textual.strip import Strip

from zypher_tui.core import cells, formats
from zypher_tui.core.latencies import Percentile
from zypher_tui.core.view import Figures, View
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

Card = tuple[str, str, list[Part], int]
"""Long and short label, value, and how much of the width it wants."""


class FigureRow(LineWidget):
    """Waiting, running, throughput, oldest, failed, wait, run."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._cards: list[Card] = _cards(Figures(), 0)

    def show(self, view: View) -> None:
        """Draw anew if a figure changed."""
        cards = _cards(view.figures, sum(worker.slots for worker in view.workers))
        if cards != self._cards:
            self._cards = cards
            self.refresh()

    def line_at(self, y: int) -> Strip:
        """One line of all cards."""
        widths = _widths([card[3] for card in self._cards], self.size.width)
        framed = self.size.height >= 3
        parts: list[Part] = []
        frame = 5 if framed else 2
        long = all(cells.width(card[0]) <= width - frame for card, width in zip(self._cards, widths, strict=True))
        for (longer, shorter, value, _), width in zip(self._cards, widths, strict=True):
            label = cells.cut(longer if long else shorter, width - frame)
            parts += _framed(label, value, width, y) if framed else _plain(label, value, width, y)
        return line(parts, self.size.width)


def _cards(figures: Figures, slots: int) -> list[Card]:
    over = "all" if figures.window_s is None else f"{figures.window_s:.0f} s" if figures.window_s < 55 else "1 min"
    failed_style = palette.STRONG + palette.ERROR if figures.failed_share else palette.STRONG
    running = [(formats.count(figures.running), palette.STRONG)]
    if slots:
        running.append((f"/{formats.count(slots)}", palette.DIM))
    return [
        ("waiting", "waiting", [(formats.count(figures.depth), palette.STRONG)], 10),
        ("running", "running", running, 10),
        ("finished per s", "per s", [(formats.rate(figures.per_s), palette.STRONG)], 8),
        ("oldest waits", "oldest", [(formats.duration_ms(figures.oldest_age_ms), palette.STRONG)], 9),
        (f"failed, {over}", "failed", [(formats.share(figures.failed_share), failed_style)], 9),
        (f"wait p50 · p95, {over}", "wait p50·p95", _percentiles(figures.wait_p50, figures.wait_p95), 17),
        (f"run p50 · p95, {over}", "run p50·p95", _percentiles(figures.run_p50, figures.run_p95), 17),
    ]


def _percentiles(p50: Percentile | None, p95: Percentile | None) -> list[Part]:
    if p50 is None or p95 is None:
        return [(formats.UNKNOWN, palette.STRONG)]
    return [(_time(p50), palette.STRONG), (" · ", palette.DIM), (_time(p95), palette.STRONG)]


def _time(percentile: Percentile) -> str:
    return (">" if percentile.beyond else "") + formats.duration_ms(percentile.ms)


def _widths(wanted: list[int], width: int) -> list[int]:
    """The width shared out in proportion, to the last cell."""
    total, shared, given = sum(wanted), 0, 0
    widths: list[int] = []
    for want in wanted:
        shared += want
        widths.append(width * shared // total - given)
        given += widths[-1]
    return widths


def _plain(label: str, value: list[Part], width: int, y: int) -> list[Part]:
    if y == 0:
        return [(" " + cells.fit(label, width - 1), palette.DIM)]
    return [(" ", palette.PLAIN), *value, (" " * (width - 1 - length(value)), palette.PLAIN)]


def _framed(label: str, value: list[Part], width: int, y: int) -> list[Part]:
    inner = width - 2
    if y == 0:
        rest = "─" * (inner - 2 - cells.width(label))
        return [("╭ ", palette.FRAME), (label, palette.DIM), (f" {rest}╮", palette.FRAME)]
    if y == 1:
        gap = " " * (inner - 1 - length(value))
        return [("│ ", palette.FRAME), *value, (gap, palette.PLAIN), ("│", palette.FRAME)]
    return [("╰" + "─" * inner + "╯", palette.FRAME)]

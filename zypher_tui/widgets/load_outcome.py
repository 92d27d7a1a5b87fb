"""What came of a load, and its last errors."""

from collections.abc import Mapping

from rich.style import Style
from textual.strip import Strip

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import cells, formats
from zypher_tui.load.meter import Outcome
from zypher_tui.load.plan import How
from zypher_tui.load.report import Report
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

WORDS: Mapping[Outcome, str] = {
    Outcome.OK: "ok",
    Outcome.FAILED: "failed",
    Outcome.REFUSED: "refused",
    Outcome.CLIENT_ERROR: "other 4xx",
    Outcome.SERVER_ERROR: "other 5xx",
    Outcome.NO_ANSWER: "no answer",
    Outcome.ABANDONED: "abandoned",
}
_GLYPHS: Mapping[Outcome, str] = {
    Outcome.OK: "●",
    Outcome.FAILED: "✗",
    Outcome.REFUSED: "⊘",
    Outcome.CLIENT_ERROR: "✗",
    Outcome.SERVER_ERROR: "✗",
    Outcome.NO_ANSWER: "?",
    Outcome.ABANDONED: "◌",
}


class Lines(LineWidget):
    """Lines that are replaced as a whole."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._lines: list[list[Part]] = []

    def show(self, lines: list[list[Part]]) -> None:
        """Draw anew what changed."""
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def line_at(self, y: int) -> Strip:
        """One of them."""
        return line(self._lines[y] if y < len(self._lines) else [], self.size.width)


def outcome_lines(report: Report | None, how: How, *, width: int) -> list[list[Part]]:
    """Sent, what is left of it in the queue, and each outcome that there was, two in a line where there is room."""
    if report is None:
        return [[(" Nothing was sent yet.", palette.DIM)]]
    of = f" of {report.planned:,}" + (" at most" if report.due is None else "")
    lines: list[list[Part]] = [
        [(" sent ", palette.DIM), (f"{report.sent:,}", palette.STRONG), (of, palette.DIM)]
        + ([(f" · {report.in_flight:,} under way", palette.PLAIN)] if report.in_flight else [])
    ]
    if how is not How.SYNC:
        lines += _in_two(_queue_entries(report, how), width)
    entries = [_entry(outcome, count) for outcome, count in report.outcomes.items() if count or outcome is Outcome.OK]
    if report.held_back:
        entries.append(_counted("‖", report.held_back, "held back", palette.WARNING))
    return lines + _in_two(entries, width)


def error_lines(report: Report | None, *, width: int) -> list[list[Part]]:
    """Count, kind, and what the last of them said."""
    if report is None or not report.errors:
        return [[(" None.", palette.DIM)]]
    lines: list[list[Part]] = []
    for error in report.errors:
        count = f" {formats.count(error.count):>6} times "
        label = cells.cut(error.label, max(width - len(count), 1))
        rest = cells.cut(f"  {error.last}" if error.last else "", max(width - len(count) - cells.width(label), 0))
        lines.append([(count, palette.STRONG), (label, palette.ERROR), (rest, palette.DIM)])
    return lines


def _queue_entries(report: Report, how: How) -> list[list[Part]]:
    """Where each was waited for, its end is that of its request."""
    glyph, style = palette.STATUS[Status.QUEUED]
    entries = [_counted(glyph, report.open, "open", style if report.open else palette.DIM)]
    for status, count in report.ended.items() if how is How.ASYNC else ():
        entries.append(_counted(palette.STATUS[status][0], count, status.value, palette.STATUS[status][1]))
    if report.forgotten:
        entries.append(_counted("?", report.forgotten, "not known", palette.DIM))
    return entries


def _entry(outcome: Outcome, count: int) -> list[Part]:
    styles = {
        Outcome.OK: palette.STATUS[Status.SUCCEEDED][1],
        Outcome.REFUSED: palette.WARNING,
        Outcome.ABANDONED: palette.DIM,
    }
    return _counted(_GLYPHS[outcome], count, WORDS[outcome], styles.get(outcome, palette.ERROR))


def _counted(glyph: str, count: int, word: str, style: Style) -> list[Part]:
    return [(f"{glyph} ", style), (f"{count:,} ", palette.STRONG), (word, palette.DIM)]


def _in_two(entries: list[list[Part]], width: int) -> list[list[Part]]:
    """Two in a line where there is room for both."""
    half = (width - 1) // 2
    waiting, lines = list(entries), list[list[Part]]()
    while waiting:
        first = waiting.pop(0)
        parts: list[Part] = [(" ", palette.PLAIN), *first]
        if waiting and length(first) < half and length(waiting[0]) <= half:
            parts += [(" " * (half - length(first)), palette.PLAIN), *waiting.pop(0)]
        lines.append(parts)
    return lines

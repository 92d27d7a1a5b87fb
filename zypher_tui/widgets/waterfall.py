"""One prediction's life, drawn: a bar for each span under an axis of time, with its duration and what came of it."""

import math
from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from zypher_tui.core import cells, formats
from zypher_tui.core.waterfall import Mark, Outcome, Span, SpanKind, Waterfall
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

TOOK = 8
TICK_CELLS = 9
"""Least room between two times on the axis."""
GLYPHS = {
    SpanKind.QUEUE: "░",
    SpanKind.RETRY: "░",
    SpanKind.PAUSE: "░",
    SpanKind.LOAD: "▒",
    SpanKind.RUN: "█",
    SpanKind.WEBHOOK: "█",
}
"""What fills a bar: waiting is light, work is dark, also where there are no colours."""
MARKS = {"progress": "◆", "log": "◇"}
"""What the model said, at its time; in one line for each kind."""
WORDS = {
    Outcome.PASSED: "",
    Outcome.OPEN: "◐ now",
    Outcome.SUCCEEDED: "● succeeded",
    Outcome.FAILED: "✗ failed",
    Outcome.LOST: "✗ lost",
    Outcome.HANDED_BACK: "⊘ handed back",
    Outcome.CANCELED: "⊘ canceled",
    Outcome.EXPIRED: "◌ expired",
}


class WaterfallView(LineWidget):
    """As many lines as it needs."""

    DEFAULT_CSS = "WaterfallView { height: auto; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._waterfall: Waterfall | None = None
        self._drawn: tuple[object, ...] = ()
        self._lines: list[list[Part]] = []

    def show(self, waterfall: Waterfall | None) -> None:
        """Show this one; ``None`` is nothing."""
        if waterfall == self._waterfall:
            return
        before = _count(self._waterfall)
        self._waterfall = waterfall
        self.refresh(layout=_count(waterfall) != before)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  # Textual's
        """One line for the axis, one for each span, and one for each kind of mark."""
        return _count(self._waterfall)

    def line_at(self, y: int) -> Strip:
        """A line of it."""
        width = self.size.width
        if (self._waterfall, width) != self._drawn:
            self._drawn = (self._waterfall, width)
            self._lines = waterfall_lines(self._waterfall, width) if self._waterfall else []
        return line(self._lines[y] if y < len(self._lines) else [], width)


def waterfall_lines(waterfall: Waterfall, width: int) -> list[list[Part]]:
    """The lines, for whoever draws them."""
    name = min(max(width * 3 // 10, 12), 30)
    room = max(width - name - TOOK - 2, 1)
    told = [span.kind in {SpanKind.WEBHOOK, SpanKind.PAUSE} for span in waterfall.spans]
    ran = told.index(True) if True in told else len(told)  # what was said was said before webhooks were told
    lines = [_axis(waterfall, name, room)]
    lines += [_line(waterfall, span, name, room) for span in waterfall.spans[:ran]]
    lines += [_marks(waterfall, marks, name, room) for marks in _by_kind(waterfall)]
    lines += [_line(waterfall, span, name, room) for span in waterfall.spans[ran:]]
    return lines


def _count(waterfall: Waterfall | None) -> int:
    return 1 + len(waterfall.spans) + len(_by_kind(waterfall)) if waterfall else 0


def _by_kind(waterfall: Waterfall) -> list[list[Mark]]:
    """Those that there are of each kind, in order of time."""
    found = ([mark for mark in waterfall.marks if mark.kind == kind] for kind in MARKS)
    return [marks for marks in found if marks]


def _marks(waterfall: Waterfall, marks: Sequence[Mark], name: int, room: int) -> list[Part]:
    """A mark for each at its time, and beside the last one what it says."""
    last = marks[-1]
    places = sorted({_cell(waterfall, mark.at_ms, room) for mark in marks})
    glyph = MARKS[last.kind]
    axis = "".join(glyph if at in places else " " for at in range(places[0], places[-1] + 1))
    left, right = places[0], room - places[-1] - 1
    text: Part = (cells.cut(last.text, max(left, right) - 1), palette.DIM)
    before: list[Part] = [(" " * left, palette.PLAIN)]
    behind: list[Part] = [(" " * right, palette.PLAIN)]
    if right >= 8 and right >= left:
        behind = [(" ", palette.PLAIN), text, (" " * (right - 1 - length([text])), palette.PLAIN)]
    elif left >= 8 and len(places) == 1:
        before = [(" " * (left - 1 - length([text])), palette.PLAIN), text, (" ", palette.PLAIN)]
    offset = "+" + formats.duration_ms(last.at_ms - waterfall.start_ms)
    return [
        (" " + cells.fit(last.kind, name - 1) + " ", palette.DIM),
        *before,
        (axis, palette.BRAND),
        *behind,
        (f" {offset:>{TOOK}}"[: TOOK + 1], palette.DIM),
    ]


def _axis(waterfall: Waterfall, name: int, room: int) -> list[Part]:
    """Times since the request, at round steps."""
    text = [" "] * room
    step_ms = nice_step(waterfall.took_ms / max(room / TICK_CELLS, 1))
    at_ms = 0.0
    while at_ms <= waterfall.took_ms:
        label = "╷" + (formats.duration_ms(at_ms) if at_ms else "0")
        at = _cell(waterfall, waterfall.start_ms + at_ms, room)
        if at + len(label) <= room:
            text[at : at + len(label)] = label
        at_ms += step_ms
    return [(" " * (name + 1), palette.DIM), ("".join(text), palette.DIM), (f" {'took':>{TOOK}}", palette.DIM)]


def _line(waterfall: Waterfall, span: Span, name: int, room: int) -> list[Part]:
    start, end = _cell(waterfall, span.start_ms, room), _cell(waterfall, span.end_ms, room)
    if waterfall.end_ms == span.end_ms:
        end = room
    filled = max(end - start, 1)
    took = f" {formats.duration_ms(span.took_ms):>{TOOK}}"
    style = _style(span)
    label = (" " + cells.fit(span.name, name - 1) + " ", palette.DIM if _is_waiting(span) else palette.PLAIN)
    bar = (GLYPHS[span.kind] * filled, style)
    said = " ".join(part for part in (WORDS[span.outcome], span.note) if part)
    left, right = start, room - start - filled
    if said and right >= min(len(said) + 2, 8) and right >= left:
        text = cells.cut(said, right - 1)
        space = " " * (right - 1 - cells.width(text))
        return [label, (" " * left, palette.PLAIN), bar, (" " + text, _said(span)), (space + took, palette.STRONG)]
    if said and left >= 8:
        text = cells.cut(said, left - 1)
        space = " " * (left - 1 - cells.width(text))
        return [label, (space + text + " ", _said(span)), bar, (" " * right + took, palette.STRONG)]
    return [label, (" " * left, palette.PLAIN), *_inside(bar, said, filled), (" " * right + took, palette.STRONG)]


def _inside(bar: Part, said: str, filled: int) -> list[Part]:
    """A bar with no room beside it says what came of it inside."""
    if not said or filled < 8:
        return [bar]
    text = cells.cut(said, filled - 4)
    glyph, style = bar[0][0], bar[1]
    rest = glyph * (filled - 3 - cells.width(text))
    return [(glyph, style), (f" {text} ", style + Style(reverse=True)), (rest, style)]


def _style(span: Span) -> Style:
    if span.outcome in {Outcome.FAILED, Outcome.LOST, Outcome.EXPIRED}:
        return palette.ERROR
    if span.outcome in {Outcome.CANCELED, Outcome.HANDED_BACK} or span.kind is SpanKind.RETRY:
        return palette.WARNING
    return palette.DIM if _is_waiting(span) else palette.BRAND


def _said(span: Span) -> Style:
    is_bad = span.outcome in {Outcome.FAILED, Outcome.LOST, Outcome.EXPIRED}
    return palette.ERROR if is_bad else palette.DIM


def _is_waiting(span: Span) -> bool:
    return span.kind in {SpanKind.QUEUE, SpanKind.RETRY, SpanKind.PAUSE}


def _cell(waterfall: Waterfall, at_ms: float, room: int) -> int:
    if waterfall.took_ms <= 0:
        return 0
    return min(int((at_ms - waterfall.start_ms) / waterfall.took_ms * room), room - 1)


def nice_step(least_ms: float) -> float:
    """The least of 1, 2, 5, 10, 20 ms, … 1 s, … 1, 2, 5, 10, 30 minutes, 1 hour, … that is not below."""
    if least_ms <= 1:
        return 1.0
    for step_ms in (60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000):
        if 30_000 < least_ms <= step_ms:
            return float(step_ms)
    power = 10.0 ** math.floor(math.log10(least_ms))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least_ms * (1 - 1e-9))

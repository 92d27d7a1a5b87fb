"""The first line: who this is, and how it stands with the API and with Redis. Below it, when needed, what is wrong."""

from collections.abc import Iterator, Sequence

import msgspec
from textual.strip import Strip

from zypher_tui.core import cells, formats
from zypher_tui.core.readings import SourceName
from zypher_tui.core.view import AMISS, Link, LinkView, View
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

WAYS = "what to do"
CALM = 1.3
"""A latency is shown anew once its mean is so many times as long or as short."""


class Mark(msgspec.Struct, frozen=True):
    """Something that is to be seen whatever the screen shows: as it is written where there is room, and shorter."""

    texts: tuple[str, ...]
    is_warning: bool = False


class Header(LineWidget):
    """``Zypher 0.1.0  API ● up 1.2 ms  Redis ● up 0.3 ms``."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.origin: Sequence[str] = ()
        """Where this is from, when it is not a running system: as it is written where there is room, and shorter."""
        self._left: list[Part] = []
        self._right: list[Part] = []
        self._mark: Mark | None = None
        self._shown: object = None
        self._means: dict[SourceName, float] = {}
        self._latencies: dict[SourceName, float] = {}

    def show(self, view: View, mark: Mark | None = None) -> None:
        """Draw anew if something in it changed."""
        self._calm(view)
        left: list[Part] = [(" Zypher ", palette.BRAND), (view.version or "", palette.DIM)]
        for link in view.links:
            left += [("   ", palette.PLAIN), *_link(link, self._latencies.get(link.source))]
        paused = [queue.name for queue in (view.overview.queues if view.overview else ()) if queue.paused]
        if paused:
            left += [("   ", palette.PLAIN), (f"■ {', '.join(paused)} paused", palette.WARNING)]
        right: list[Part] = []
        if view.uptime_s is not None:
            right = [("running for ", palette.DIM), (formats.age_s(view.uptime_s), palette.PLAIN)]
        if view.stale_s is not None:
            right = [("figures ", palette.WARNING), (f"{formats.age_s(view.stale_s)} old", palette.WARNING)]
        shown = (left, right, mark, self.origin)
        if shown != self._shown:
            self._shown = shown
            self._left, self._right, self._mark = left, right, mark
            self.refresh()

    def _calm(self, view: View) -> None:
        """Latencies as they are on average: a figure that trembles is not read, and is drawn all the time."""
        for link in view.links:
            if link.latency_ms is None:
                self._latencies.pop(link.source, None)
                continue
            shown = self._latencies.get(link.source, link.latency_ms)
            mean = self._means[link.source] = 0.8 * self._means.get(link.source, shown) + 0.2 * link.latency_ms
            is_other = not shown / CALM <= mean <= shown * CALM
            self._latencies[link.source] = mean if is_other else shown

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """One line: the right part only where there is room for it."""
        width = self.size.width
        for right in self._rights():
            room = width - length(self._left) - length(right) - 1
            if room >= 2:
                return line([*self._left, (" " * room, palette.PLAIN), *right], width)
        return line(self._left, width)

    def _rights(self) -> Iterator[list[Part]]:
        """What may stand on the right, the best first."""
        yield from ([(text, palette.WARNING)] for text in self.origin)
        rest = [] if self.origin else self._right
        if self._mark is not None:
            style = palette.ERROR if self._mark.is_warning else palette.BRAND
            marks: list[Part] = [(text, style) for text in self._mark.texts]
            if rest:
                yield [*rest, ("   ", palette.PLAIN), marks[0]]
            yield from ([mark] for mark in marks)
        yield rest


def _link(link: LinkView, latency_ms: float | None) -> list[Part]:
    glyph, style = palette.LINK[link.link]
    parts: list[Part] = [(f"{link.source.label} ", palette.PLAIN), (f"{glyph} {link.link.value}", style)]
    if link.link is Link.UP:
        parts.append((f" {formats.duration_ms(latency_ms):<6}", palette.DIM))
    elif link.since_s is not None:
        parts.append((f" {formats.age_s(link.since_s):<6}", palette.DIM))
    return parts


class Notice(LineWidget):
    """One sentence on what is wrong; not there when nothing is."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._lines: list[str] = []
        self._shown: tuple[str | None, bool] = (None, False)

    def show(self, view: View, *, is_told: bool = False) -> None:
        """Show the view's notice, in as many lines as it needs, three at most; nothing of what ``is_told`` elsewhere.

        What is wrong with a source has a key that says what to do.
        """
        sentence = None if is_told else view.notice
        has_ways = view.past_s is None and any(link.link in AMISS for link in view.links)
        if (sentence, has_ways) == self._shown:
            return
        self._shown = sentence, has_ways
        self.display = sentence is not None
        self._lay_out()

    def on_resize(self) -> None:
        """Break the sentence anew."""
        self._lay_out()

    def line_at(self, y: int) -> Strip:
        """A line of the sentence."""
        text = self._lines[y] if y < len(self._lines) else ""
        parts = [(" ▲ " if y == 0 else "   ", palette.WARNING), (text, palette.PLAIN)]
        if self._shown[1] and y == len(self._lines) - 1:
            parts += [(f"  {keymap.shown('!')} ", palette.BRAND), (WAYS, palette.DIM)]
        return line(parts, self.size.width)

    def _lay_out(self) -> None:
        width = (self.size.width or self.screen.size.width) - 4
        sentence, has_ways = self._shown
        lines = cells.wrap(sentence or "", max(width, 10))
        room = width - len(WAYS) - 6 if has_ways else width
        if has_ways and len(lines) < 3 and cells.width(lines[-1]) > room:
            lines.append("")
        if len(lines) > 3 or cells.width(lines[-1]) > room:
            lines = [*lines[:2], cells.cut("".join(lines[2:3]) + " …", room)]
        if len(lines) != len(self._lines):
            self.styles.height = len(lines)
        self._lines = lines
        self.refresh()

"""What needs attention: a line or two for each item, and the keys that act on the one under the cursor."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import cells, formats
from zypher_tui.core.items import Act, Item, Severity
from zypher_tui.keymap import Help, keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, entitle, length, line

WIDE = 100
"""From here on each item says what to do; below, only the one with the cursor."""

INDENT = 12
"""Cells before a sentence: glyph and severity."""
AGE = 8


GO = Act("a", "go there")
"""What is offered while the keys go elsewhere; whoever shows the list has that key."""


class AttentionList(LineWidget, can_focus=True):
    """Items, the worst first. The cursor stays on its item while others come and go."""

    ABOUT = Help(
        "Needs attention",
        "What is wrong right now, the worst first, with figures and advice. The one under the cursor shows its keys.",
        (
            ("✗ critical", "Predictions fail or nobody works"),
            ("▲ warning", "It will get worse, or is slower than usual"),
            ("● notice", "Good to know"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("home,g", "move(-1000)", "First", show=False),
        Binding("end,G", "move(1000)", "Last", show=False),
        Binding("enter", "act('enter')", "Details", show=False),
        Binding("r", "act('r')", "Retry", show=False),
        Binding("R", "act('R')", "Resume", show=False),
    ]

    class Chosen(Message):
        """A key of the item under the cursor was pressed: Enter, a double click, or one of its others."""

        def __init__(self, attention: "AttentionList", item: Item, act: Act) -> None:
            super().__init__()
            self.attention = attention
            self.item = item
            self.act = act

        @property
        def control(self) -> "AttentionList":
            """The list, for ``@on``."""
            return self.attention

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._has_keys = self._is_on_keys = False
        """Whether keys are drawn, and whether they were when the mouse went down."""
        self._items: tuple[Item, ...] = ()
        self._now_s = 0.0
        self._cursor = 0
        self._top = 0
        self._is_known = False
        self._say_title()

    @property
    def selected(self) -> Item | None:
        """The item under the cursor."""
        return self._items[self._cursor] if self._items else None

    def show(self, items: Sequence[Item], *, now_s: float, is_known: bool = True) -> None:
        """Show these; ``is_known`` says whether there were any figures to judge by."""
        found = tuple(items)
        if (found, is_known) == (self._items, self._is_known):
            if found and int(now_s) != int(self._now_s):
                self._now_s = now_s
                self.refresh(Region(max(self.size.width - AGE, 0), 0, AGE, self.size.height))
            return
        held = self.selected
        self._items, self._now_s, self._is_known = found, now_s, is_known
        if held is not None and self._cursor:
            keys = [item.key for item in self._items]
            self._cursor = keys.index(held.key) if held.key in keys else self._cursor
        self._cursor = max(min(self._cursor, len(self._items) - 1), 0)
        self._say_title()
        self._say_rest()
        self.refresh()

    def on_resize(self) -> None:
        """Another number of items fits."""
        self._say_rest()

    def line_at(self, y: int) -> Strip:
        """A line of the items that fit, from the first that is shown on."""
        width = self.size.width
        if not self._items:
            return line(_nothing(is_known=self._is_known) if y == 0 else [], width)
        shown = self._shown()
        if y >= len(shown):
            return Strip.blank(width)
        index, part = shown[y]
        item = self._items[index]
        if index != self._cursor:
            return line(_headline(item, item.sentence, width, self._now_s, advice=item.advice), width)
        said = self._wrapped(width)
        if part == 0:
            strip = line(_headline(item, said[0], width, self._now_s), width)
        elif part < len(said):
            strip = line([(" " * INDENT, palette.PLAIN), (said[part], palette.PLAIN)], width)
        else:
            strip = line(_advice(item, item.acts if self.has_focus else [GO], width), width)
        cursor = palette.CURSOR if self.has_focus else palette.CURSOR_AWAY
        return Strip([Segment(text, (style or Style.null()) + cursor) for text, style, _ in strip], width)

    def action_move(self, items: int) -> None:
        """Move the cursor."""
        self._cursor = max(min(self._cursor + items, len(self._items) - 1), 0)
        self._say_rest()
        self.refresh()

    def action_act(self, key: str) -> None:
        """Tell that a key of the selected item was pressed; one that it does not have goes on to others."""
        item = self.selected
        act = next((each for each in item.acts if each.key == key), None) if item else None
        if item is not None and act is not None:
            self.post_message(self.Chosen(self, item, act))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that the item under the cursor does not have are left to others."""
        if action != "act":
            return True
        item = self.selected
        return item is not None and any(each.key == parameters[0] for each in item.acts)

    def on_focus(self) -> None:
        """Its keys are drawn only now: the click that brought the focus was not on one of them."""
        self.call_after_refresh(setattr, self, "_has_keys", True)

    def on_blur(self) -> None:
        """They go."""
        self._has_keys = False

    def on_mouse_down(self) -> None:
        """What is drawn now is what is clicked."""
        self._is_on_keys = self._has_keys

    def on_mouse_scroll_down(self) -> None:
        """The wheel goes through the items."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """And back."""
        self.action_move(-1)

    def on_click(self, event: events.Click) -> None:
        """A click opens what the item is about; on one of its keys it presses that."""
        offset = event.get_content_offset(self)
        shown = self._shown()
        if offset is None or offset.y >= len(shown) or event.chain > 1:
            return
        index, part = shown[offset.y]
        is_advice = index == self._cursor and part == len(self._wrapped(self.size.width))
        self.action_move(index - self._cursor)
        act = self._act_at(offset.x) if is_advice and self._is_on_keys else None
        self.action_act(act.key if act else "enter")

    def _act_at(self, x: int) -> Act | None:
        """Of the item under the cursor, the one whose key is drawn there."""
        acts = self.selected.acts if self.selected else ()
        start = INDENT + _advice_room(acts, self.size.width)
        for act in acts:
            end = start + length(_key(act))
            if start <= x < end:
                return act
            start = end
        return None

    def _shown(self) -> list[tuple[int, int]]:
        """For each line, which item and which part of it: all of the one with the cursor, which is always in sight."""
        height = max(self.size.height, 1)
        parts = min(len(self._wrapped(self.size.width)) + 1, height)
        room = height - parts + 1
        self._top = max(min(self._top, self._cursor, len(self._items) - room), self._cursor - room + 1, 0)
        lines: list[tuple[int, int]] = []
        for index in range(self._top, min(self._top + room, len(self._items))):
            lines += [(index, part) for part in range(parts if index == self._cursor else 1)]
        return lines

    def _wrapped(self, width: int) -> list[str]:
        """The sentence of the item under the cursor, in the lines that it takes, three at most."""
        item = self.selected
        if item is None:
            return []
        room = max(width - INDENT - AGE, 8)
        lines = cells.wrap(item.sentence, room)
        return lines if len(lines) <= 3 else [*lines[:2], cells.cut(lines[2] + " …", room)]

    def _say_title(self) -> None:
        counts = [(severity, sum(item.severity is severity for item in self._items)) for severity in reversed(Severity)]
        said = " · ".join(f"{count} {severity.counted(count)}" for severity, count in counts if count)
        entitle(self, "Needs attention" + (f" · {said}" if said else ""))

    def _say_rest(self) -> None:
        """How many there is no room for."""
        shown = {index for index, _ in self._shown()}
        above, below = (min(shown), len(self._items) - 1 - max(shown)) if shown else (0, 0)
        said = [f"{count} more {where}" for count, where in ((above, "above"), (below, "below")) if count]
        entitle(self, " · ".join(said), below=True)


def mark(severity: Severity) -> tuple[str, Style]:
    """Glyph and colour; the word stands in the item."""
    if severity is Severity.CRITICAL:
        return "✗", palette.ERROR
    return ("▲", palette.WARNING) if severity is Severity.WARNING else ("●", palette.BRAND)


def _nothing(*, is_known: bool) -> list[Part]:
    if not is_known:
        return [(" Waiting for figures…", palette.DIM)]
    glyph, style = palette.STATUS[Status.SUCCEEDED]
    return [(f" {glyph} ", style), ("Nothing needs attention.", palette.PLAIN)]


def _headline(item: Item, sentence: str, width: int, now_s: float, *, advice: str = "") -> list[Part]:
    glyph, style = mark(item.severity)
    age = f" {formats.age_s(now_s - item.since_s)} "
    left: list[Part] = [(f" {glyph} {item.severity.word:<8} ", style)]
    room = max(width - INDENT - cells.width(age), 0)
    shown = cells.cut(sentence, room)
    left.append((shown, palette.PLAIN))
    rest = room - cells.width(shown)
    if advice and width >= WIDE and rest > 12:
        left.append(("  " + cells.cut(advice, rest - 3), palette.DIM))
    space = max(width - length(left) - cells.width(age), 0)
    return [*left, (" " * space, palette.PLAIN), (age, palette.DIM)]


def _advice(item: Item, acts: Sequence[Act], width: int) -> list[Part]:
    keys = [part for act in acts for part in _key(act)]
    advice = cells.fit(item.advice, _advice_room(acts, width))
    return [(" " * INDENT, palette.PLAIN), (advice, palette.DIM), *keys]


def _advice_room(acts: Sequence[Act], width: int) -> int:
    """Cells before the keys."""
    return max(width - INDENT - sum(length(_key(act)) for act in acts) - 2, 0)


def _key(act: Act) -> list[Part]:
    key = keymap.shown("⏎" if act.key == "enter" else act.key, AttentionList)
    return [(f" {key} ", palette.BRAND), (act.does, palette.DIM)]

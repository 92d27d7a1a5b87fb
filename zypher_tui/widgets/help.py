"""The help: what has the focus shows and means, its keys and those of everywhere; typing searches in all of it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from zypher_tui.core import cells
from zypher_tui.keymap import ALSO, Action, Help, Keyed, actions, display, keymap, place_of
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog, TypedLines
from zypher_tui.widgets.drawing import Part, entitle

NAME_CELLS = 11
KEY_CELLS = 6
"""The least, for a key; a key and what it does stand several in a line, where they fit."""


class Chapter(msgspec.Struct, frozen=True):
    """Some of the help under one title."""

    title: str
    says: str = ""
    words: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


class HelpDialog(Dialog):
    """Help for what had the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave the help", show=False)]

    def __init__(self, chain: Sequence[DOMNode]) -> None:
        """``chain`` is what had the focus and all around it, from within."""
        super().__init__("Help")
        self._parts = [*help_of(chain)]
        self._query = ""

    def compose(self) -> ComposeResult:
        """The box, which hears what is typed."""
        yield TypedLines(id="box")

    @on(TypedLines.Typed)
    def search(self, message: TypedLines.Typed) -> None:
        """Show only what has this in it."""
        self._query = message.text
        self.box.scroll_home(animate=False)
        self.fill()

    def action_leave(self) -> None:
        """Search for nothing, or close."""
        if self._query:
            self.query_one("#box", TypedLines).type("")
        else:
            self.dismiss()

    def fill(self) -> None:
        """Put what was found into the box."""
        width = max(self.box.scrollable_content_region.width - 2, 20)
        lines: list[list[Part]] = []
        for chapter in self._parts:
            lines += _lines_of(chapter, self._query, width)
        if not self._query:
            lines += [*_legends(width)]
        elif not lines:
            lines = [[], [(f" Nothing has {self._query!r} in it; esc shows everything again.", palette.PLAIN)]]
        entitle(self.box, f"Help · {self._query}▏" if self._query else "Help · type to search")
        entitle(self.box, "↑ ↓ scroll · esc closes", below=True)
        self.box.show(lines)


def help_of(chain: Iterable[DOMNode]) -> list[Chapter]:
    """From what had the focus outwards, then what is everywhere."""
    chapters: list[Chapter] = []
    told = set[str]()
    for node in chain:
        if not isinstance(node, Keyed):
            continue
        cls = type(node)
        keys = _keys_of(cls, told)
        about = cls.ABOUT or Help("Everywhere" if isinstance(node, App) else place_of(cls).capitalize(), "")
        if about.says or keys:
            chapters.append(Chapter(about.title, about.says, about.words, keys))
    return chapters


def _keys_of(cls: type[Keyed], told: set[str]) -> tuple[tuple[str, str], ...]:
    own = [action for action in actions().values() if any(issubclass(cls, owner) for owner in action.owners)]
    entries: list[tuple[str, str]] = []
    screens: list[Action] = []
    for action in own:
        if action.name in told:
            continue
        told.add(action.name)
        if action.name.startswith("screen-"):
            screens.append(action)
        else:
            entries.append((_shown(action), action.says))
    if screens:
        ends = (_shown(screens[0]), _shown(screens[-1]))
        entries.append((f"{ends[0]} … {ends[1]}", "Screens"))
    return tuple(entries)


def _sought(does: str) -> str:
    """What a key does, and the other words for it."""
    also = (ALSO.get(action.name, "") for action in actions().values() if action.says == does)
    return " ".join([does, *also]).casefold()


def _shown(action: Action) -> str:
    """Its first two keys."""
    return " ".join(display(key) for key in keymap.keys_of(action)[:2])


def _lines_of(chapter: Chapter, query: str, width: int) -> list[list[Part]]:
    """Title, text, words and keys; of those only what has the query in it."""
    wanted = query.casefold()
    is_all = not wanted or wanted in chapter.title.casefold()
    words = [(name, text) for name, text in chapter.words if is_all or wanted in f"{name} {text}".casefold()]
    keys = [(key, does) for key, does in chapter.keys if is_all or wanted in _sought(does) or query == key]
    says = chapter.says if is_all or wanted in chapter.says.casefold() else ""
    if not (words or keys or says):
        return []
    lines: list[list[Part]] = [[(f" {chapter.title}", palette.BRAND)]]
    lines += [[(f" {text}", palette.PLAIN)] for text in cells.wrap(says, width)] if says else []
    key_room = max(KEY_CELLS, *(cells.width(key) for key, _ in keys)) if keys else 0
    room = max((cells.width(does) for _, does in keys), default=0)
    columns = max(width // (key_room + room + 3), 1)
    for first in range(0, len(keys), columns):
        lines.append([(" ", palette.PLAIN)])
        for key, does in keys[first : first + columns]:
            lines[-1] += [(cells.fit(key, key_room + 1), palette.BRAND), (cells.fit(does, room + 2), palette.PLAIN)]
    for name, text in words:
        lines += _entry(name, text, width - NAME_CELLS - 1)
    return lines


def _entry(name: str, text: str, width: int) -> list[list[Part]]:
    texts = cells.wrap(text, width)
    names = [name] + [""] * (len(texts) - 1)
    return [
        [(f" {cells.fit(name, NAME_CELLS)} ", palette.DIM), (text, palette.PLAIN)]
        for name, text in zip(names, texts, strict=True)
    ]


def _legends(width: int) -> list[list[Part]]:
    """What the glyphs mean, in as many lines as they need."""
    marks: list[Part] = [(f"{glyph} {status.value}  ", style) for status, (glyph, style) in palette.STATUS.items()]
    marks += [(f"{glyph} {link.value}  ", style) for link, (glyph, style) in palette.LINK.items()]
    lines: list[list[Part]] = [[(" Glyphs", palette.BRAND)], [(" ", palette.PLAIN)]]
    taken = 0
    for text, style in marks:
        if taken + len(text) > width:
            lines.append([(" ", palette.PLAIN)])
            taken = 0
        lines[-1].append((text, style))
        taken += len(text)
    return lines

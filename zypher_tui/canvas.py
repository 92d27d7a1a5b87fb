"""What a terminal shows, cell by cell, and the fewest bytes that make a frame of it: on a slow link each counts.

Textual writes whole widgets, each segment with all of its colours; of a list that moved by a line, or of a chart, most
cells are as they were.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from rich.cells import get_character_cell_size
from rich.color import Color, ColorSystem
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

NEAR = 5
"""So many cells that are as they were are written again sooner than the cursor is sent across them."""


class Pen(NamedTuple):
    """How a cell is drawn, as SGR codes."""

    attributes: str
    colour: str
    ground: str


Cell: TypeAlias = tuple[str, Pen | None]
"""A character with what is combined with it; the second cell of a wide one is empty. Without a pen: not known."""
_PLAIN = Pen("", "39", "49")
_UNKNOWN: Cell = ("", None)

Piece: TypeAlias = tuple[int, int, Strip]
"""Line, first column, and what stands from there on."""


class Canvas:
    """Of one terminal. What it shows is not known at first, and after ``forget``: then all is written."""

    def __init__(self, system: ColorSystem) -> None:
        self._system = system
        self._lines: list[list[Cell]] = []
        self._width = 0

    def forget(self) -> None:
        """Somebody else may have written there."""
        self._lines = []

    def draw(self, size: Size, pieces: Iterable[Piece]) -> str:
        """What to write for the pieces to stand there; empty if they do already."""
        if (self._width, len(self._lines)) != size:
            self._width = size.width
            self._lines = [[_UNKNOWN] * size.width for _ in range(size.height)]
        written: list[str] = []
        pen = _PLAIN
        at: tuple[int, int] | None = None
        for y, x, strip in pieces:
            if not 0 <= y < size.height:
                continue
            line = self._lines[y]
            cells = _cells(strip, self._system)[: max(size.width - x, 0)]
            for start, end in _changed(line[x : x + len(cells)], cells):
                if at != (y, x + start):
                    written.append(_move(at, y, x + start))
                pen = _write(cells[start:end], pen, written)
                at = (y, x + end) if x + end < size.width else None  # behind the last column it is nowhere
            line[x : x + len(cells)] = cells
        if not written:
            return ""
        return "".join((*written, "\x1b[m" if pen != _PLAIN else ""))


def _cells(strip: Strip, system: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        pen = _pen(style, system) if style else _PLAIN
        if text.isascii():
            cells += [(character, pen) for character in text]
            continue
        for character in text:
            width = get_character_cell_size(character)
            if width:
                cells.append((character, pen))
                cells += [("", pen)] * (width - 1)
            elif cells:
                last = next(at for at in range(len(cells) - 1, -1, -1) if cells[at][0] or not at)
                cells[last] = (cells[last][0] + character, cells[last][1])
    return cells


def _changed(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Where they differ, first and behind the last; a wide character is never halved."""
    if old == new:
        return
    start = end = -1
    for at, cell in enumerate(new):
        if at < len(old) and old[at] == cell:
            continue
        if start >= 0 and at - end > NEAR:
            yield start, _whole(new, end)
            start = -1
        if start < 0:
            start = at - 1 if at and not cell[0] else at
        end = at + 1
    if start >= 0:
        yield start, _whole(new, end)


def _whole(cells: Sequence[Cell], end: int) -> int:
    return end + 1 if end < len(cells) and not cells[end][0] else end


def _move(at: tuple[int, int] | None, y: int, x: int) -> str:
    if at is not None and at[0] == y:
        return f"\x1b[{x - at[1]}C" if x > at[1] else f"\x1b[{x + 1}G"
    return f"\x1b[{y + 1};{x + 1}H"


def _write(cells: Sequence[Cell], pen: Pen, written: list[str]) -> Pen:
    """Write the cells; returns the pen that is in use at the end."""
    for text, wanted in cells:
        if wanted is not None and wanted is not pen:
            written.append(_change(pen, wanted))
            pen = wanted
        written.append(text)
    return pen


@lru_cache(4096)
def _change(old: Pen, new: Pen) -> str:
    """From one pen to another: only what is different."""
    if old == new:
        return ""
    if old.attributes != new.attributes:
        codes = [new.attributes, *(each for each in new[1:] if each not in ("39", "49"))]
        return f"\x1b[{';'.join(each for each in ('0', *codes) if each)}m"
    return f"\x1b[{';'.join(code for code, before in zip(new[1:], old[1:], strict=True) if code != before)}m"


@lru_cache(4096)
def _pen(style: Style, system: ColorSystem) -> Pen:
    marked = style.without_color.render("x", color_system=system)
    attributes = marked.partition("m")[0].removeprefix("\x1b[") if marked.startswith("\x1b[") else ""
    return Pen(attributes, _code(style.color, system), _code(style.bgcolor, system, is_ground=True))


def _code(colour: Color | None, system: ColorSystem, *, is_ground: bool = False) -> str:
    if colour is None:
        return "49" if is_ground else "39"
    return ";".join(colour.downgrade(system).get_ansi_codes(foreground=not is_ground))

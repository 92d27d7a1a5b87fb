"""What is written to a terminal: the fewest bytes, and the same screen as with all of them."""

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from zypher_tui.canvas import Canvas, Piece

SIZE = Size(20, 3)
STYLES = [
    None,
    Style(color="#ff0000"),
    Style(color="#00ff00", bgcolor="#101010"),
    Style(color="#00ff00", bgcolor="#202020", bold=True),
    Style(bgcolor="#202020", reverse=True),
]


def strip(*parts: tuple[str, Style | None]) -> Strip:
    return Strip([Segment(text, style) for text, style in parts])


texts = st.text(st.sampled_from("ab 模型é│⣿"), min_size=1, max_size=8)
lines = st.lists(st.tuples(texts, st.sampled_from(STYLES)), min_size=1, max_size=4).map(
    lambda parts: strip(*parts).adjust_cell_length(SIZE.width)
)
frames = st.lists(st.dictionaries(st.integers(0, SIZE.height - 1), lines), min_size=2, max_size=6)


class Screen:
    """A terminal that was written to."""

    def __init__(self) -> None:
        self._screen = pyte.Screen(*SIZE)
        self._stream = pyte.Stream(self._screen)

    def write(self, text: str) -> None:
        self._stream.feed(text)

    @property
    def cells(self) -> list[list[tuple[object, ...]]]:
        """Each with what it looks like; of a space its letters' colour is not seen."""
        return [
            [
                (
                    cell.data,
                    None if cell.data == " " and not cell.reverse else cell.fg,
                    cell.bg,
                    cell.bold,
                    cell.reverse,
                )
                for cell in (self._screen.buffer[y][x] for x in range(SIZE.width))
            ]
            for y in range(SIZE.height)
        ]


@given(frames)
def test_what_changed_makes_the_same_screen_as_all_of_it(changes: list[dict[int, Strip]]) -> None:
    """Whatever was there: wide characters over narrow ones, other colours, parts of lines."""
    canvas, seen = Canvas(ColorSystem.TRUECOLOR), Screen()
    whole = {y: Strip.blank(SIZE.width) for y in range(SIZE.height)}
    for change in [whole, *changes]:
        whole = whole | change
        seen.write(canvas.draw(SIZE, [(y, 0, each) for y, each in change.items()]))
        again = Screen()
        again.write(Canvas(ColorSystem.TRUECOLOR).draw(SIZE, [(y, 0, each) for y, each in whole.items()]))
        assert seen.cells == again.cells


def drawn(canvas: Canvas, *pieces: Piece) -> str:
    return canvas.draw(Size(40, 3), pieces)


def test_only_what_changed_is_written() -> None:
    """A figure of a line, at its place and in its colour; what stands there already is not written at all."""
    canvas, red = Canvas(ColorSystem.TRUECOLOR), Style(color="#ff0000")
    drawn(canvas, (1, 0, strip(("waiting  12   running  4", red))))
    assert drawn(canvas, (1, 0, strip(("waiting  12   running  4", red)))) == ""
    assert drawn(canvas, (1, 0, strip(("waiting  13   running  4", red)))) == "\x1b[2;11H\x1b[38;2;255;0;0m3\x1b[m"
    assert drawn(canvas, (1, 10, strip(("4", red)))) == "\x1b[2;11H\x1b[38;2;255;0;0m4\x1b[m"
    canvas.forget()
    assert "waiting" in drawn(canvas, (1, 0, strip(("waiting  14", red))))


def test_a_terminal_of_another_size_is_drawn_anew() -> None:
    """What it shows then, nobody knows."""
    canvas = Canvas(ColorSystem.TRUECOLOR)
    assert drawn(canvas, (0, 0, strip(("abc", None)))) == "\x1b[1;1Habc"
    assert canvas.draw(Size(41, 3), [(0, 0, strip(("abc", None)))]) == "\x1b[1;1Habc"


def test_colours_are_those_that_the_terminal_has() -> None:
    """Of 16, the nearest."""
    red = strip(("x", Style(color="#ff0000")))
    assert "38;2" not in drawn(Canvas(ColorSystem.STANDARD), (0, 0, red))
    assert "38;5;" in drawn(Canvas(ColorSystem.EIGHT_BIT), (0, 0, red))

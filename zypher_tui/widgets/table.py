"""A virtual table: however many rows, only those on the screen are drawn (100,000 rows replaced in 32 ms)."""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Generic

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from zypher_tui.core import cells
from zypher_tui.keymap import Keyed
from zypher_tui.palette import palette
from zypher_tui.widgets.columns import Column, Row, Sorting, arrange, gap, in_order, next_sorting
from zypher_tui.widgets.drawing import Grounded, Part, length, line


class Table(Keyed, ScrollView, Grounded, Generic[Row], can_focus=True):  # pyright: ignore[reportIncompatibleMethodOverride]  # Textual's own
    """Rows under a fixed line of titles, with a cursor that stays on its row while others come in above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("enter", "choose", "Details", show=False),
        Binding("s", "sort_next", "Sort by the next column", show=False),
        Binding("less_than_sign", "sort(False)", "Least first", key_display="<", show=False),
        Binding("greater_than_sign", "sort(True)", "Most first", key_display=">", show=False),
    ]
    FOLLOWS_FIRST: ClassVar[bool] = False
    """Whether a cursor on the first row follows it, too, when it moves."""

    class Chosen(Message):
        """Enter or a double click on a row."""

        def __init__(self, table: "Table[object]", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "Table[object]":
            """The table, for ``@on``."""
            return self.table

    class Moved(Message):
        """The cursor went to another row."""

        def __init__(self, table: "Table[object]") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "Table[object]":
            """The table, for ``@on``."""
            return self.table

    def __init__(self, *, id: str, columns: Sequence[Column[Row]], key: Callable[[Row], str]) -> None:  # noqa: A002
        super().__init__(id=id)
        self.columns = columns
        self._key = key
        self._rows: Sequence[Row] = ()
        self._given: Sequence[Row] = ()
        """The rows before they were sorted."""
        self.sorting: Sorting | None = None
        self._version: object = None
        self._cursor = 0
        self._selected: Row | None = None
        self._is_clicked = False
        """Whether the row under the cursor was clicked, since the table is there to be seen."""
        self._empty: list[list[Part]] = []
        self._layout: tuple[int, list[tuple[Column[Row], int]]] = (-1, [])
        self._rendered: dict[int, Strip] = {}
        """Lines as they stand on the screen."""

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._selected

    @property
    def shown(self) -> range:
        """Which rows, by their index, are on the screen."""
        top = self.scroll_offset.y
        return range(top, min(top + max(self.size.height - 1, 0), len(self._rows)))

    @property
    def fitting(self) -> list[str]:
        """Titles of the columns that there is room for."""
        return [column.title for column, _ in self._laid_out(self.size.width)]

    def use_columns(self, columns: Sequence[Column[Row]]) -> None:
        """Have these columns instead."""
        self.columns, self._layout = columns, (-1, [])
        self.refresh()

    @property
    def rows(self) -> Sequence[Row]:
        """All of them, in the order that is shown."""
        return self._rows

    def row_at(self, index: int) -> Row:
        """The row of that index, as it is shown."""
        return self._rows[index]

    def find(self, row: Row) -> int | None:
        """Where it stands now."""
        key = self._key(row)
        return next((index for index, each in enumerate(self._rows) if self._key(each) == key), None)

    def show(self, rows: Sequence[Row], *, empty: list[list[Part]], version: object = None) -> None:
        """Replace all rows; ``empty`` are the lines shown, centered, when there are none.

        A cursor that stands on the first row stays there; any other follows its row. Rows that change by themselves
        come with a ``version``, which is another one when they did.
        """
        unchanged = rows == self._given if version is None else version == self._version
        if unchanged and (rows or empty == self._empty):
            return
        self._given, self._empty, self._version = rows, empty, version
        self._place(in_order(rows, self.columns, self.sorting))

    def _place(self, rows: Sequence[Row]) -> None:
        """Show them in that order."""
        count = self.virtual_size.height - 1
        self._rows = rows
        moved = 0
        if (self._cursor or self.FOLLOWS_FIRST) and self._selected is not None:
            at = self.find(self._selected)
            last = max(len(rows) - 1, 0)
            moved = min(self._cursor if at is None else at, last) - self._cursor
            self._cursor += moved
        self._selected = self.row_at(self._cursor) if rows else None
        if count == len(rows) and not moved and all(self._line(y) == line for y, line in self._rendered.items()):
            return  # what changed is not on the screen
        self._set_length(len(rows) + 1)
        if moved and self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + moved, animate=False)
        self.refresh(layout=count != len(rows) and self.styles.is_auto_height)

    def _set_length(self, lines: int) -> None:
        """As long as the bar beside it neither comes nor goes, nothing else on the screen has to move: 10 ms less."""
        size = Size(self.size.width, lines)
        if self.styles.is_auto_height or self.show_vertical_scrollbar != (lines > self.container_size.height):
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)  # pyright: ignore[reportArgumentType]  # a class's, not a value
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = lines
        self.scroll_y = min(self.scroll_y, self.max_scroll_y)

    def render_line(self, y: int) -> Strip:
        """The titles, then rows from the scroll position on, on the table's background."""
        if y >= self.size.height - 1:
            for beyond in [each for each in self._rendered if each > y]:
                del self._rendered[beyond]
        drawn = self._rendered[y] = self._line(y)
        return self.on_ground(drawn)

    def _line(self, y: int) -> Strip:
        width = self.size.width
        if not self._rows:
            return self._empty_line(y, width)
        if y == 0:
            return line(self._cells(self._heading, width), width)
        index = self.scroll_offset.y + y - 1
        if index >= len(self._rows):
            return Strip.blank(width)
        row = self.row_at(index)
        strip = line(self._cells(lambda column, room: column.draw(row, room), width), width)
        if index == self._cursor:
            cursor = palette.CURSOR if self.has_focus else palette.CURSOR_AWAY
            return Strip([Segment(text, (style or cursor) + cursor) for text, style, _ in strip], width)
        return strip

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        if not self._rows:
            return
        before = self._cursor
        self._cursor = min(max(self._cursor + rows, 0), len(self._rows) - 1)
        self._selected = self.row_at(self._cursor)
        if self._cursor != before:
            self.post_message(self.Moved(self))  # pyright: ignore[reportArgumentType]
        top, shown = self.scroll_offset.y, max(self.size.height - 1, 1)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + shown:
            self.scroll_to(y=self._cursor - shown + 1, animate=False)
        self.refresh()

    def select(self, wanted: Callable[[Row], bool]) -> None:
        """Put the cursor on the first row that is wanted, if there is one."""
        at = next((index for index, row in enumerate(self._rows) if wanted(row)), None)
        if at is not None:
            self.action_move(at - self._cursor)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what fits on the screen."""
        self.action_move(pages * max(self.size.height - 2, 1))

    def move_to(self, index: int) -> None:
        """Put the cursor on that row."""
        self.action_move(index - self._cursor)

    def action_first(self) -> None:
        """Move the cursor to the first row; it stays there while rows come in."""
        self.action_move(-len(self._rows))

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self.action_move(len(self._rows))

    def action_sort_next(self) -> None:
        """Sort by the next of the columns that are shown; behind the last one, as they came."""
        self._sort(next_sorting([column for column, _ in self._layout[1]], self.sorting))

    def action_sort(self, descends: bool) -> None:
        """Turn the order round."""
        if self.sorting is not None:
            self._sort(Sorting(self.sorting.title, descends))

    def _sort(self, sorting: Sorting | None) -> None:
        self.sorting = sorting
        self._place(in_order(self._given, self.columns, sorting))
        self.refresh()

    def _sort_at(self, x: int) -> None:
        """By the column whose title is there, or the other way round."""
        column = next((column for column, end in self._ends() if x < end), None)
        if column is None or column.order is None:
            return
        now = self.sorting
        is_again = now is not None and now.title == column.title
        self._sort(Sorting(column.title, not now.descends if now and is_again else column.descends))

    def _ends(self) -> Iterator[tuple[Column[Row], int]]:
        """The columns that are shown, and where each ends."""
        end = 1
        for column, room in self._layout[1]:
            end += room + gap(self.size.width - 1)
            yield column, end

    def _heading(self, column: Column[Row], room: int) -> list[Part]:
        if self.sorting is None or column.title != self.sorting.title:
            return [(cells.cut(column.title, room), palette.DIM)]
        mark = "▼" if self.sorting.descends else "▲"
        return [(column.title[: room - 1] + mark, palette.BRAND)]

    def action_choose(self) -> None:
        """Tell that the row was chosen."""
        if (row := self.selected) is not None:
            self.post_message(self.Chosen(self, self._key(row)))  # pyright: ignore[reportArgumentType]

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one chooses; on a title it sorts, and turns round.

        What the first click was on is chosen, also when rows have moved on meanwhile.
        """
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_at(offset.x)
            return
        index = self.scroll_offset.y + offset.y - 1
        if event.chain == 2 and self._is_clicked:
            self.action_choose()
        elif index < len(self._rows):
            self.action_move(index - self._cursor)
            self._is_clicked = True

    def on_show(self) -> None:
        """The first click of two was on what led here."""
        self._is_clicked = False

    def _empty_line(self, y: int, width: int) -> Strip:
        index = y - max((self.size.height - len(self._empty)) // 2, 0)
        if not 0 <= index < len(self._empty):
            return Strip.blank(width)
        indent = max((width - max(length(parts) for parts in self._empty)) // 2, 0)
        return line([(" " * indent, palette.PLAIN), *self._empty[index]], width)

    def _cells(self, draw: Callable[[Column[Row], int], list[Part]], width: int) -> list[Part]:
        parts: list[Part] = [(" ", palette.PLAIN)]
        for column, room in self._laid_out(width):
            drawn = draw(column, room)
            space = (" " * (room - length(drawn)), palette.PLAIN)
            parts += [space, *drawn] if column.right else [*drawn, space]
            parts.append((" " * gap(width - 1), palette.PLAIN))
        return parts

    def _laid_out(self, width: int) -> list[tuple[Column[Row], int]]:
        """The columns that fit, and how wide each is."""
        if self._layout[0] != width:
            self._layout = (width, arrange(self.columns, width - 1))
        return self._layout[1]

"""Latency over time as colours, with a cursor and the mouse. A cell leads to its predictions."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from zypher_tui.core import cells
from zypher_tui.core.heat import COLUMN_MS, KINDS, Cell, Grid, Heat, Kind
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import DrawnWhole, Part, entitle, length, line
from zypher_tui.widgets.heat_drawing import AXIS, cell_lines, nice_peak, scale, times

WIDE = 75
"""From here on there is room for a whole sentence."""


class HeatMap(DrawnWhole, can_focus=True):
    """Below the map: the times, and what the cell under the cursor or the mouse is."""

    ABOUT = Help(
        "Latencies",
        "Columns are times, lines are latencies, brighter cells have more predictions. A cell opens its predictions.",
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1, 0)", "Earlier", show=False),
        Binding("right,l", "move(1, 0)", "Later", show=False),
        Binding("up,k", "move(0, 1)", "Slower", show=False),
        Binding("down,j", "move(0, -1)", "Faster", show=False),
        Binding("home,g", "move(-10000, 0)", "First", show=False),
        Binding("end,G", "move(10000, 0)", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]

    class Chosen(Message):
        """Enter or a double click on a cell that has predictions."""

        def __init__(self, heat_map: "HeatMap", cell: Cell) -> None:
            super().__init__()
            self.heat_map = heat_map
            self.cell = cell

        @property
        def control(self) -> "HeatMap":
            """The map, for ``@on``."""
            return self.heat_map

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.kind: Kind = KINDS[0]
        self._heat = Heat()
        self._revision = 0
        self._end_ms = 0
        self._step_ms = COLUMN_MS
        self._pointer: tuple[int, int] | None = None
        """When the column under the cursor begins, and the first bucket of its band; ``None``: it is the newest."""
        self._pointed: tuple[int, int] | None = None
        """Column and band under the mouse."""
        self._grid: Grid | None = None
        self._grid_of: tuple[object, ...] = ()
        self._say_title()

    def show(self, heat: Heat, *, end_ms: int, step_ms: int = COLUMN_MS) -> None:
        """Draw anew if something was counted or time moved on by a column; ``end_ms`` is the server's time."""
        before = (self._heat, self._revision, self._end_ms // self._step_ms, self._step_ms)
        self._revision = heat.revision
        self._heat, self._end_ms, self._step_ms = heat, end_ms, step_ms
        if before != (heat, heat.revision, end_ms // step_ms, step_ms):
            self.refresh()

    @property
    def selected(self) -> Cell | None:
        """The cell under the cursor."""
        grid = self._laid_out()
        place = self._place(grid)
        return self._heat.cell(grid, *place) if place else None

    def state(self) -> object:
        """The grid, and what is under the cursor and under the mouse."""
        self._laid_out()
        return self._grid_of, self._pointer, self._pointed, self.has_focus

    def action_move(self, columns: int, bands: int) -> None:
        """Move the cursor by so many columns and bands; it stays with what it stands on."""
        grid = self._laid_out()
        place = self._place(grid)
        if place is not None:
            column = min(max(place[0] + columns, 0), len(grid.counts) - 1)
            self._point_at(grid, column, min(max(place[1] + bands, 0), len(grid.bands) - 1))

    def action_kind(self) -> None:
        """The next of total, run and wait."""
        self.kind = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)]
        self._pointer = self._pointed = None
        self._say_title()
        self.refresh()

    def action_choose(self) -> None:
        """Tell that the cell was chosen, if there is something in it."""
        cell = self.selected
        if cell is not None and cell.count:
            self.post_message(self.Chosen(self, cell))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens."""
        place = self._under(event)
        if place is not None:
            self._point_at(self._laid_out(), *place)
            if event.chain == 2:
                self.action_choose()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say what is under the mouse."""
        place = self._under(event)
        if place != self._pointed:
            self._pointed = place
            self.refresh()

    def on_leave(self) -> None:
        """Say again what is under the cursor."""
        if self._pointed is not None:
            self._pointed = None
            self.refresh()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide it."""
        self.refresh()

    def _laid_out(self) -> Grid:
        """The counts in the widget's size."""
        columns, halves = max(self.size.width - AXIS, 1), 2 * max(self.size.height - 2, 1)
        state = (
            self._heat,
            self._heat.revision,
            self.kind,
            self._end_ms // self._step_ms,
            self._step_ms,
            columns,
            halves,
        )
        if self._grid is None or state != self._grid_of:
            self._grid_of = state
            self._grid = self._heat.grid(
                self.kind, end_ms=self._end_ms, columns=columns, halves=halves, step_ms=self._step_ms
            )
        return self._grid

    def _place(self, grid: Grid) -> tuple[int, int] | None:
        """Column and band of the cursor: where it was put, else the fullest of the newest column that has any."""
        if self._pointer is not None:
            column = grid.column_of(self._pointer[0])
            bands = [y for y, band in enumerate(grid.bands) if band.first <= self._pointer[1] <= band.last]
            if 0 <= column < len(grid.counts) and bands:
                return column, bands[0]
        for column in range(len(grid.counts) - 1, -1, -1):
            counts = grid.counts[column]
            if any(counts):
                return column, counts.index(max(counts))
        return None

    def _point_at(self, grid: Grid, column: int, band: int) -> None:
        self._pointer = (grid.first_ms + column * grid.step_ms, grid.bands[band].first)
        self.refresh()

    def _under(self, event: events.MouseEvent) -> tuple[int, int] | None:
        """Column and band under the mouse: of two in one cell, the one that has more."""
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        grid, lines = self._laid_out(), self.size.height - 2
        column = offset.x - AXIS
        if not (0 <= column < len(grid.counts) and 0 <= offset.y < lines):
            return None
        low = 2 * (lines - 1 - offset.y)
        found = [half // grid.halves for half in (low, low + 1) if half // grid.halves < len(grid.bands)]
        return (column, max(found, key=lambda band: grid.counts[column][band])) if found else None

    def draw_lines(self, width: int, height: int) -> list[Strip]:
        """The map, its times, and what is under the cursor."""
        grid = self._laid_out()
        cursor = self._place(grid) if self.has_focus else None
        top = nice_peak(grid.peak)
        parts = [
            *cell_lines(grid, max(height - 2, 1), top, cursor),
            times(grid, cursor) if self._end_ms else [],
            self._foot(grid, top, width),
        ]
        return [line(each, width) for each in parts]

    def _foot(self, grid: Grid, top: int, width: int) -> list[Part]:
        """What the cell is; without a cursor or a mouse, what the colours mean."""
        place = self._pointed or (self._place(grid) if self.has_focus else None)
        indent: Part = (" " * (AXIS if width >= WIDE else 1), palette.PLAIN)
        if place is None and not grid.peak:
            return [indent, ("nothing ended in this time" if self._end_ms else "", palette.DIM)]
        if place is None:
            return [indent, *scale(top)]
        cell = self._heat.cell(grid, *place)
        keys: list[Part] = (
            [(" ⏎ ", palette.BRAND), ("open" if width >= WIDE else "", palette.DIM)] if cell.count else []
        )
        room = width - length([indent, *keys])
        return [indent, (cells.cut(cell.sentence if width >= WIDE else cell.brief, room), palette.PLAIN), *keys]

    def _say_title(self) -> None:
        meaning = {"total": "total time", "run": "run", "wait": "wait in the queue"}
        entitle(self, f"Latency · {meaning[self.kind]}")

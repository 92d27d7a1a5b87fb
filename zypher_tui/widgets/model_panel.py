"""The version under the cursor: what it is, its queue and its run time lately, and how it does against another."""

from collections.abc import Callable, Sequence
from functools import partial

from zypher_tui.core import cells, formats
from zypher_tui.core.comparing import Comparison
from zypher_tui.core.model_facts import (
    Fact,
    call,
    comparison_facts,
    first_facts,
    has_example,
    other_facts,
    shadow_facts,
)
from zypher_tui.core.model_rows import ModelRow, Served
from zypher_tui.core.rows import Row
from zypher_tui.core.version_series import Values, run_over_time, waiting_over_time
from zypher_tui.core.view import View
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Lines
from zypher_tui.widgets.drawing import Part, entitle
from zypher_tui.widgets.sparks import spark

NAME_CELLS = 9
STEP_MS = 2_000
"""What one column of a chart stands for."""
CHART_LINES = 3, 16
"""The least and the most, as many as there is room for."""
PAST = Fact(name="▲", text="The figures are of the time that is shown; how it is deployed is as of now.")


class ModelPanel(Lines):
    """Lines that scroll."""

    def __init__(self, *, id: str, api_url: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._api_url = api_url
        self._shown: Callable[[], None] | None = None
        """Shows the same again."""
        entitle(self, "Model")

    def on_resize(self) -> None:
        """Break the lines anew."""
        if self._shown is not None:
            self._shown()

    def show_row(
        self,
        row: ModelRow | None,
        view: View,
        served: Served | None,
        rows: Sequence[Row],
        compared: tuple[ModelRow, ModelRow, Comparison] | None,
    ) -> None:
        """Show it; ``rows`` are its newest predictions, ``compared`` two versions and what they differ in."""
        self._shown = partial(self.show_row, row, view, served, rows, compared)
        width = self.scrollable_content_region.width or self.size.width
        entitle(self, "Model" if row is None else row.key)
        if row is None or width <= NAME_CELLS:
            self.show([])
            return
        said = [PAST, *first_facts(row)] if view.past_s is not None else [*first_facts(row)]
        above = [line for fact in said for line in _lines(fact, width)]
        more = (
            *(comparison_facts(*compared) if compared else ()),
            *shadow_facts(row),
            *other_facts(row, served),
            *([Fact(name="call", text=call(row, self._api_url))] if has_example(row) else ()),
        )
        below = [line for fact in more for line in _lines(fact, width)]
        least, most = CHART_LINES
        height = max(min(self.size.height - len(above) - len(below) - 1, most), least)
        self.show([*above, *self._charts(view, rows, width, height), *below])

    def _charts(self, view: View, rows: Sequence[Row], width: int, height: int) -> list[list[Part]]:
        """How many waited on the left, how long the middle one ran on the right."""
        half = (width - 3) // 2
        if half < 10 or not rows:
            return []
        over = {"end_ms": view.now_ms, "step_ms": STEP_MS, "count": 2 * half}
        waiting, run = waiting_over_time(rows, **over), run_over_time(rows, **over)
        span = formats.age_s(2 * half * STEP_MS / 1000)
        most_waiting, longest = _most(waiting), _most(run)
        titles = (
            f"waiting, up to {formats.count(round(most_waiting))} · last {span}",
            f"run p50, up to {formats.duration_ms(longest)}",
        )
        left = spark(waiting, height=height, low=0, high=max(most_waiting, 4))
        right = spark(run, height=height, low=0, high=max(longest, 1))
        drawn: list[list[Part]] = [
            [(" " + a, palette.FILL), (" " + b, palette.FILL)] for a, b in zip(left, right, strict=True)
        ]
        return [[(" " + cells.fit(title, half), palette.DIM) for title in titles], *drawn]


def _most(values: Values) -> float:
    return max((value for value in values if value is not None), default=0.0)


def _lines(fact: Fact, width: int) -> list[list[Part]]:
    texts = cells.wrap(fact.text, max(width - NAME_CELLS - 2, 10))
    names = [fact.name] + [""] * (len(texts) - 1)
    style = palette.ERROR if fact.is_bad else palette.BRAND if fact.name == "call" else palette.PLAIN
    return [[(f" {name:<{NAME_CELLS}}", palette.DIM), (text, style)] for name, text in zip(names, texts, strict=True)]

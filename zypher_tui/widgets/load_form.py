"""The form of the Load screen: what is to be sent, and what is wrong with that, in place."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input, Static

from zypher_tui.core import cells
from zypher_tui.keymap import Keyed
from zypher_tui.load.plan import How, Plan, describe
from zypher_tui.load.shapes import Shape
from zypher_tui.load.texts import DEFAULTS, WrongPlan, read_plan
from zypher_tui.palette import palette
from zypher_tui.widgets.choice import Choice
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

LABELS: Mapping[str, str] = {
    "model": "model", "rate": "rate /s", "how": "answer", "callers": "callers", "input": "input", "for": "for",
    "shape": "shape", "total": "total", "retry_after": "refused", "limit": "limit /s",
}  # fmt: skip
"""Fields, row by row, and what they are called."""
CHOICES: Mapping[str, Sequence[str]] = {
    "model": (),
    "how": [each.value for each in How],
    "shape": [each.value for each in Shape],
    "retry_after": ["ignore", "honor"],
}
HINTS: Mapping[str, str] = {"input": "the example, or JSON, or @FILE"}


class LoadLine(LineWidget, can_focus=True):
    """What is wrong, or what will be sent; and the start."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "go", "Start the load, or stop it", show=False)]
    PLACE = "the start of a load"

    class Gone(Message):
        """Enter or a click: start it, or stop it."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._said: list[Part] = []
        self._button = ""

    def say(self, text: str, *, is_wrong: bool, button: str) -> None:
        """``button`` is what can be done now: start, stop or nothing."""
        said: list[Part] = [("▲ ", palette.WARNING)] if is_wrong else []
        said.append((text, palette.PLAIN))
        if (said, button) != (self._said, self._button):
            self._said, self._button = said, button
            self.refresh()

    def action_go(self) -> None:
        """Start or stop."""
        if self._button:
            self.post_message(self.Gone())

    def on_click(self, event: events.Click) -> None:
        """On the button only."""
        if event.x >= self.size.width - len(self._button) - 4:
            self.action_go()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """Text to the left, the button to the right."""
        width = self.size.width
        button: list[Part] = []
        if self._button:
            button = [(f" {self._button} ", palette.TAB_OPEN if self.has_focus else palette.BRAND)]
        room = width - length(button) - 1
        *mark, (text, style) = self._said or [("", palette.PLAIN)]
        text = cells.fit(text, room - length(mark))
        return line([*mark, (text, style), (" ", palette.PLAIN), *button], width)


class LoadForm(Keyed, Container):
    """Ten fields in two columns, and a line below them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", "Field before", show=False),
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("escape", "leave", "Leave the field", show=False),
    ]
    PLACE = "the form of a load"

    class Edited(Message):
        """It says something else."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.line = LoadLine(id="load-line")
        self._fields: dict[str, Choice | Input] = {}
        for name in LABELS:
            field_id = f"load-{name.replace('_', '-')}"
            if name in CHOICES:
                self._fields[name] = Choice(id=field_id, choices=CHOICES[name], value=DEFAULTS[name])
            else:
                placeholder = HINTS.get(name, "")
                self._fields[name] = Input(id=field_id, compact=True, placeholder=placeholder)
        self._models: Sequence[str] = ()
        self._is_open = True
        self.wrong: Mapping[str, str] = {}
        """What is wrong with which field."""
        self.plan: Plan | None = None
        """What it says, if that is right."""

    def compose(self) -> ComposeResult:
        """Labels and fields."""
        with Container(id="load-fields"):
            for name, label in LABELS.items():
                yield Static(label, markup=False)
                yield self._fields[name]
        yield self.line

    def on_mount(self) -> None:
        """Begin with what is usual."""
        with self.prevent(Input.Changed):
            for name, field in self._fields.items():
                field.value = DEFAULTS[name]
        self._read()

    @property
    def first(self) -> Choice | Input:
        """The model."""
        return self._fields["model"]

    @property
    def input_text(self) -> str:
        """What is typed as the input."""
        return self._fields["input"].value

    def offer(self, models: Sequence[str]) -> None:
        """The models that there are."""
        if models != self._models:
            self._models = models
            field = self._fields["model"]
            assert isinstance(field, Choice)
            field.offer(models)
            self._read()

    def let_edit(self, *, is_open: bool) -> None:
        """While a load is under way nothing can be changed."""
        if is_open != self._is_open:
            self._is_open = is_open
            self._enable()

    def refuse(self, field: str, why: str) -> None:
        """Something else is wrong with a field."""
        self.wrong = {field: why}
        self._mark()

    def focused_or_first_wrong(self) -> tuple[str, str] | None:
        """The field to talk about, and what is wrong with it."""
        here = next((name for name in self.wrong if self._fields[name].has_focus), None)
        name = here or next(iter(self.wrong), None)
        return (LABELS[name], self.wrong[name]) if name else None

    def said(self) -> str:
        """What will be sent."""
        return describe(self.plan) if self.plan else ""

    def action_leave(self) -> None:
        """To where letters are keys again."""
        self.line.focus()

    @on(Input.Changed)
    @on(Choice.Changed)
    def take_in(self, message: Input.Changed | Choice.Changed) -> None:
        """Read all of it anew."""
        message.stop()
        self._read()

    @on(Input.Submitted)
    def go_to_the_start(self, message: Input.Submitted) -> None:
        """Enter in a field: the next one starts it."""
        message.stop()
        self.line.focus()

    def on_descendant_focus(self) -> None:
        """Another field: another thing to say."""
        self.post_message(self.Edited())

    def _read(self) -> None:
        texts = {name: field.value for name, field in self._fields.items()}
        try:
            self.plan, self.wrong = read_plan(texts, self._models), {}
        except WrongPlan as error:
            self.plan, self.wrong = None, error.fields
        self._mark()
        self._enable()
        self.post_message(self.Edited())

    def _mark(self) -> None:
        for name, field in self._fields.items():
            field.set_class(name in self.wrong, "-wrong")

    def _enable(self) -> None:
        has_callers = self._fields["shape"].value == Shape.CALLERS.value
        for name, field in self._fields.items():
            is_idle = (name == "rate" and has_callers) or (name == "callers" and not has_callers)
            field.disabled = is_idle or not self._is_open

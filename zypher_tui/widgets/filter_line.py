"""The line in which a filter is typed; it filters while it is."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from zypher_tui.core.cleaning import clean
from zypher_tui.core.filters import EVERYTHING, Filter, WrongFilter, parse
from zypher_tui.keymap import Help, Keyed
from zypher_tui.widgets.drawing import entitle


class FilterLine(Keyed, Input):
    """Hidden until it is asked for."""

    ABOUT = Help(
        "Filter",
        "The list follows each key. Words search in ids, models, inputs, outputs and errors.",
        (
            ("status:", "queued, running, succeeded, failed, canceled, expired"),
            ("model:", "A name, with * for any letters"),
            ("age<1h", "Also wait, run, created, finished"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "Drop the filter", show=False)]

    class Filtered(Message):
        """Another filter; ``left``: the line is closed, the filter stays."""

        def __init__(self, found: Filter, *, left: bool = False) -> None:
            super().__init__()
            self.found = found
            self.left = left

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, placeholder='status:failed model:fraud* age<1h "some text"', select_on_focus=False)
        self.border_title = "Filter · enter keeps it, escape takes it away"
        self.display = False

    def open(self) -> None:
        """Show it, with what stands there."""
        self.display = True
        self.cursor_position = len(self.value)
        self.focus()

    def set_text(self, text: str) -> None:
        """What stands there when it is opened; says nothing to anybody."""
        with self.prevent(Input.Changed):
            self.value = text

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter by what stands there now, or say what is wrong with it."""
        event.stop()
        try:
            found = parse(clean(event.value))
        except WrongFilter as error:
            entitle(self, str(error), below=True)
            self.add_class("-wrong")
            return
        entitle(self, "", below=True)
        self.remove_class("-wrong")
        self.post_message(self.Filtered(found))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, and go back to the list."""
        event.stop()
        if not self.has_class("-wrong"):
            self.display = False
            self.post_message(self.Filtered(parse(clean(self.value)), left=True))

    def action_drop(self) -> None:
        """Show everything again."""
        self.value = ""
        self.display = False
        self.post_message(self.Filtered(EVERYTHING, left=True))

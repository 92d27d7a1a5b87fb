"""What every pane is: it shows a view while it is the one on the screen, and says what was chosen in it."""

from typing import ClassVar

from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from zypher_tui.core.items import Target
from zypher_tui.core.view import View
from zypher_tui.keymap import Keyed

Keys = tuple[tuple[str, str], ...]


class Opened(Message):
    """A prediction is to be shown whole."""

    def __init__(self, prediction_id: str, *, origin: str = "") -> None:
        """``origin``: the one whose input was edited for this one."""
        super().__init__()
        self.prediction_id = prediction_id
        self.origin = origin


class Filtered(Message):
    """The predictions that a filter keeps are to be shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Led(Message):
    """What an item of "needs attention" is about is to be shown."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target


class Copied(Message):
    """A text is to be put on the terminal's clipboard."""

    def __init__(self, text: str, what: str) -> None:
        """``what`` says what it is: ``the worker's id``."""
        super().__init__()
        self.text = text
        self.what = what


class Pane(Keyed, Container):
    """One of the dashboard's six. What is chosen in it goes up as ``Opened``, ``Filtered`` or ``Led``."""

    TITLE: ClassVar[str]
    KEYS: ClassVar[Keys] = ()
    """What the last line says of the pane's own keys, as they are unless a person chose others."""
    NEEDS_FIGURES: ClassVar[bool] = True
    """Whether it has nothing to show before there are any."""

    @property
    def first(self) -> Widget | None:
        """What gets the focus when the pane is opened."""
        return None

    def lead_to(self, target: Target) -> None:
        """Put the cursor on what an item is about, if it is one of those here."""

    def show_view(self, view: View) -> None:
        """Draw what changed."""
        raise NotImplementedError

    @classmethod
    def count(cls, view: View) -> str:
        """What stands behind the title in the line of tabs: how many, or nothing."""
        del view
        return ""

"""What keeps a person from changing anything now: the past is on the screen, or the API is away."""

from zypher_tui.core import formats
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import at_of
from zypher_tui.core.view import Link, View
from zypher_tui.keymap import keymap


def hindrance(view: View | None, *, without: str, is_open: bool = True) -> str:
    """A sentence with the way out; empty: nothing does.

    ``without`` is what the API is needed for: ``nothing can be sent``. ``is_open``: whether the way to it is.
    """
    if view is not None and view.past_s is not None:
        at = formats.clock(at_of(view.now_ms)) if view.taken_at else "that time"
        return f"This is the past ({at}), which nobody changes. Press {keymap.shown('p')} to come back to now."
    link = next((each for each in view.links if each.source is SourceName.API), None) if view else None
    if is_open and (link is None or link.link is not Link.AWAY):
        return ""
    why = f" ({link.reason})" if link and link.reason else ""
    return f"The API is away{why}; without it {without}. Try again when it is back."

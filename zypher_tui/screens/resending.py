"""Asks for a prediction again with another input: who takes it, the editor that opens, the order that comes of it."""

from zypher_jobs.contracts.prediction import Prediction
from zypher_tui.core import formats
from zypher_tui.core.values import draft_of
from zypher_tui.core.view import View
from zypher_tui.hindrance import hindrance
from zypher_tui.keymap import keymap
from zypher_tui.screens.editing import MOST_CHARS, EditScreen
from zypher_tui.sources.source import Intake, Order, Source, Submits


def taker(view: View | None, source: Source | None) -> Submits | str:
    """What takes predictions; a sentence: why nothing can be sent."""
    if why := hindrance(view, without="nothing can be sent", is_open=source is not None):
        return why
    if not isinstance(source, Submits):
        return "Nothing can be sent: what is shown is no running system."
    return source.why_not or source


def editor(known: Prediction, value: object, source: Submits) -> EditScreen | str:
    """The editor of its input, which sends to the same version while that is served; a sentence: why there is none."""
    draft = draft_of(value)
    if len(draft.text) > MOST_CHARS:
        size = formats.size_bytes(len(draft.text))
        return f"Its input is too long to be edited here ({size}); {keymap.shown('y')} copies it as curl."

    async def send(text: str, intake: Intake | None) -> str:
        is_served = intake is None or known.version in intake.versions
        order = Order(
            model=known.model,
            version=known.version if is_served else "",
            priority=known.priority,
            input_json=text,
        )
        return await source.submit(order)

    name = f"{known.model}@{known.version}" if known.version else known.model
    title = f"Input for {name}, from {known.prediction_id}"
    return EditScreen(draft, title=title, intake=lambda: source.intake(known.model), send=send)

"""Asks for a prediction again with another input: who takes it, the editor that opens, the order that comes of it."""

from zypher_jobs.contracts.prediction import Prediction
from zypher_tui.core import formats
from zypher_tui.core.readings import SourceName
from zypher_tui.core.values import draft_of
from zypher_tui.core.view import Link, View
from zypher_tui.screens.editing import MOST_CHARS, EditScreen
from zypher_tui.sources.source import Intake, Order, Source, Submits


def taker(view: View | None, source: Source | None) -> Submits | str:
    """What takes predictions; a sentence: why nothing can be sent."""
    link = next((each for each in view.links if each.source is SourceName.API), None) if view else None
    if view is not None and view.past_s is not None:
        return "This is the past, which stays as it was; p leads back to now."
    if source is None or (link is not None and link.link is Link.AWAY):
        why = f" ({link.reason})" if link and link.reason else ""
        return f"The API is away{why}; without it nothing can be sent."
    if not isinstance(source, Submits):
        return "Nothing can be sent: what is shown is no running system."
    return source.why_not or source


def editor(known: Prediction, value: object, source: Submits) -> EditScreen | str:
    """The editor of its input, which sends to the same version while that is served; a sentence: why there is none."""
    draft = draft_of(value)
    if len(draft.text) > MOST_CHARS:
        return f"Its input is too long to be edited here ({formats.size_bytes(len(draft.text))}); y copies it as curl."

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

"""What the keys of the Models screen ask for: traffic, a roll back, load and unload, each as a question."""

from collections.abc import Callable

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_tui.core.deeds import ending
from zypher_tui.core.traffic import (
    Deed,
    ModelChange,
    Said,
    WrongTraffic,
    as_typed,
    consequences,
    live_traffic,
    parse_traffic,
)
from zypher_tui.core.view import View
from zypher_tui.hindrance import hindrance
from zypher_tui.screens.asked import Acted
from zypher_tui.screens.asking import AskScreen, Question
from zypher_tui.sources.source import Deploys, Refused, SourceAway

TITLES = {
    Deed.SWITCH: "Send the traffic of {model} to",
    Deed.ROLL_BACK: "Roll {model} back",
    Deed.LOAD: "Load {model}",
    Deed.UNLOAD: "Unload {model}",
}


def why_not(view: View | None, source: object) -> str:
    """Why nothing can be changed now; empty: it can."""
    if view is None:
        return "Nothing is known yet."
    if why := hindrance(view, without="no model can be changed", is_open=source is not None):
        return why
    if not isinstance(source, Deploys):
        return "Nothing can be changed here: what is shown is no running system."
    return source.why_not


def question(deed: Deed, detail: ModelDetail, deploys: Deploys, tell: Callable[[Acted], object]) -> AskScreen:
    """The dialog that asks, and does it; ``tell`` is told what came of each try."""
    live, versions = live_traffic(detail), [each.version for each in detail.versions]

    def change(text: str) -> ModelChange:
        traffic = parse_traffic(text, versions) if deed is Deed.SWITCH else None
        return ModelChange(deed=deed, model=detail.name, traffic=traffic)

    def ask(text: str) -> Question:
        try:
            asked = change(text)
        except WrongTraffic as error:
            return Question([Said(str(error), is_warning=True)], is_possible=False)
        is_possible = deed is not Deed.ROLL_BACK or detail.previous is not None
        return Question([*consequences(asked, detail)], is_possible=is_possible)

    async def do(text: str) -> None:
        asked = change(text)
        try:
            await deploys.change_model(asked)
        except (Refused, SourceAway) as error:
            known = "was refused" if isinstance(error, Refused) else "had no answer"
            tell(Acted(f"To {deed.value} {detail.name} {known}: {ending(str(error))}.", is_well=False))
            raise
        tell(Acted(asked.done))

    typed = (as_typed(live) if live else "") if deed is Deed.SWITCH else None
    return AskScreen(TITLES[deed].format(model=detail.name), typed=typed, ask=ask, do=do)

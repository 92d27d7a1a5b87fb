"""``p95_ms<300,dead==0``: conditions on the figures, for scripts and CI."""

import difflib
import operator
import re
from collections.abc import Callable, Collection

import msgspec

from zypher_jobs.contracts.stats import Overview
from zypher_tui.core.latencies import Percentile, Tally
from zypher_tui.core.view import Link, View

Figure = Callable[[View, Overview | None], float | None]

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


class WrongCheck(ValueError):
    """A condition that cannot be understood; the message says which, and the way out."""


class Condition(msgspec.Struct, frozen=True):
    """One of them."""

    name: str
    operator: str
    bound: float

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.bound:g}"


class Outcome(msgspec.Struct, frozen=True):
    """How one condition stands; ``value`` is ``None`` where nothing is known of it: then it does not hold."""

    condition: Condition
    value: float | None
    holds: bool

    def __str__(self) -> str:
        value = "unknown" if self.value is None else f"{self.value:g}"
        return f"{'ok  ' if self.holds else 'FAIL'} {self.condition}  is {value}"


def parse(text: str, known: Collection[str] | None = None) -> list[Condition]:
    """Conditions on ``known`` figures (those of ``FIGURES``), comma separated. Raises ``WrongCheck``."""
    known = FIGURES if known is None else known
    found: list[Condition] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([a-z0-9_]+)\s*(<=|>=|==|!=|<|>)\s*(\d+(?:\.\d+)?)\s*", part)
        if match is None:
            raise WrongCheck(f"{part.strip()!r} is no condition; write one such as p95_ms<300 or dead==0.")
        name = match[1]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            raise WrongCheck(f"There is no figure {name!r}. {hint}")
        found.append(Condition(name, match[2], float(match[3])))
    return found


def check(conditions: list[Condition], view: View, overview: Overview | None) -> list[Outcome]:
    """Each of them."""
    return judge(conditions, lambda name: FIGURES[name](view, overview))


def judge(conditions: list[Condition], read: Callable[[str], float | None]) -> list[Outcome]:
    """Each of them, on figures that ``read`` gives."""
    outcomes: list[Outcome] = []
    for condition in conditions:
        value = read(condition.name)
        holds = value is not None and OPERATORS[condition.operator](value, condition.bound)
        outcomes.append(Outcome(condition, value, holds))
    return outcomes


def _percentile(kind: str, share: float) -> Figure:
    """Of all that is counted; where nothing is, nothing was slow: 0. Beyond the last bound it is infinite."""

    def figure(_: View, overview: Overview | None) -> float | None:
        if overview is None:
            return None
        found = Tally.of(each for each in overview.latencies if each.kind == kind).percentile(share)
        return 0.0 if found is None else _ms(found)

    return figure


def _ms(found: Percentile) -> float:
    return float("inf") if found.beyond else found.ms


def _link(number: int) -> Figure:
    def figure(view: View, _: Overview | None) -> float | None:
        return float(view.links[number].link is Link.UP) if len(view.links) > number else None

    return figure


def _of(read: Callable[[Overview], float | None]) -> Figure:
    """Of an overview; a time that nothing has is 0."""
    return lambda _, overview: None if overview is None else float(read(overview) or 0)


def _failed_share(view: View, overview: Overview | None) -> float | None:
    return None if overview is None else view.figures.failed_share or 0.0


FIGURES: dict[str, Figure] = {
    "depth": _of(lambda overview: overview.queue.depth),
    "running": _of(lambda overview: overview.queue.running),
    "oldest_ms": _of(lambda overview: overview.queue.oldest_age_ms),
    "per_s": _of(lambda overview: overview.ended_per_s),
    "dead": _of(lambda overview: overview.dead_letters),
    "refused": _of(lambda overview: overview.refused_finishes),
    "workers": _of(lambda overview: len(overview.workers)),
    "failed_share": _failed_share,
    **{
        f"{prefix}p{percent}_ms": _percentile(kind, percent / 100)
        for prefix, kind in (("", "total"), ("wait_", "wait"), ("run_", "run"))
        for percent in (50, 95, 99)
    },
    "api": _link(0),
    "redis": _link(1),
}
"""What may be checked: times in ms, shares from 0 to 1, ``api`` and ``redis`` 1 while they answer."""

"""What the rules of "needs attention" look at, and what they say."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from zypher_jobs.contracts.deployment import ShadowCounts
from zypher_jobs.contracts.stats import Health, Overview
from zypher_tui.core.items import OPEN, Act, Severity, Target
from zypher_tui.core.rows import Row
from zypher_tui.core.trends import Trends
from zypher_tui.core.view import LinkView


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says of one subject at one instant; of a subject that is well, it says nothing."""

    subject: str
    over: bool
    """Bad enough to begin an item; otherwise only to keep one that is there: without that distance it would flicker."""
    severity: Severity
    sentence: str
    """What is wrong, with figures."""
    advice: str
    """What to do."""
    target: Target
    acts: tuple[Act, ...] = (OPEN,)
    baseline: float | None = None
    """What it is compared with: kept while the item is there, or trouble that lasts would become the usual."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known at one instant."""

    at_s: float
    overview: Overview | None = None
    """The newest; one that was seen before is not looked at again."""
    health: Health | None = None
    links: tuple[LinkView, ...] = ()
    rows: Sequence[Row] = ()
    """Oldest first; only the last few thousand are looked at."""
    shadows: Mapping[str, Sequence[ShadowCounts]] = {}
    """Model → how its shadows compare."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule sees."""

    facts: Facts
    overview: Overview
    trends: Trends
    baselines: Mapping[str, float]
    """Subject → what its item was begun with."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of trouble."""

    name: str
    check: Callable[[Scene], Iterable[Signal]]
    appears_s: float = 0.0
    """How long it must have lasted before anybody is told."""
    lingers_s: float = 10.0
    """How long all must have been well before its item goes."""
    usual_after_s: float = float("inf")
    """What has lasted for so long is the usual, and what comes is compared with it."""


class LinkRule(msgspec.Struct, frozen=True, kw_only=True):
    """The same for what needs no figures: it is asked when there are none, too."""

    name: str
    check: Callable[[Facts], Iterable[Signal]]
    appears_s: float = 0.0
    lingers_s: float = 10.0
    usual_after_s: float = float("inf")


def term(key: str, value: str) -> str:
    """``key:value`` of a filter, in quotes where it needs them."""
    if re.fullmatch(r'[^\s"\\]+', value):
        return f"{key}:{value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}:"{escaped}"'


def times(number: int, one: str, many: str = "") -> str:
    """``1 prediction``, ``1,200 predictions``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

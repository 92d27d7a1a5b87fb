"""Traffic as a person types it: ``2: 90, 3: 10, shadow 1``; and what would come of a change, before it is done."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail, Traffic, VersionDetail
from zypher_tui.core import formats

EXAMPLE = "2: 90, 3: 10, shadow 1"
MOST = 16
_SHADOW = re.compile(r"shadow\s*[:=\s]\s*([^\s:=]+)")
_SHARE = re.compile(r"([^\s:=]+)\s*[:=\s]\s*(\d+(?:\.\d+)?)\s*%?")


class WrongTraffic(ValueError):
    """It cannot be understood, or there is no such version; the message says what, and the way out."""


class Deed(StrEnum):
    """What is done to a model."""

    SWITCH = "switch the traffic of"
    ROLL_BACK = "roll back"
    LOAD = "load"
    UNLOAD = "unload"


class ModelChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one model."""

    deed: Deed
    model: str
    traffic: Traffic | None = None
    """Of a switch."""

    @property
    def done(self) -> str:
        """What is said when it was done."""
        return {
            Deed.SWITCH: f"The traffic of {self.model} is switched.",
            Deed.ROLL_BACK: f"The traffic of {self.model} is where it was before.",
            Deed.LOAD: f"{self.model} is loaded in the API process that answered.",
            Deed.UNLOAD: f"{self.model} is unloaded in the API process that answered.",
        }[self.deed]


class Said(msgspec.Struct, frozen=True):
    """A line of what would come of it."""

    text: str
    is_warning: bool = False


def parse_traffic(text: str, versions: Sequence[str]) -> Traffic:
    """Shares of any sum, and a shadow; raises ``WrongTraffic``."""
    shares: dict[str, float] = {}
    shadow: str | None = None
    for part in filter(None, (each.strip() for each in text.split(","))):
        if match := _SHADOW.fullmatch(part):
            if shadow is not None:
                raise WrongTraffic("There is one shadow at most.")
            shadow = _known(match[1], versions)
            continue
        if part == "shadow":
            raise WrongTraffic(f"A shadow has its version behind it: {EXAMPLE}.")
        match = _SHARE.fullmatch(part)
        name, share = _known(match[1] if match else part, versions), float(match[2]) if match else 1.0
        if name in shares:
            raise WrongTraffic(f"Version {name} stands there twice.")
        if share <= 0:
            raise WrongTraffic(f"Version {name} has a share above 0, or does not stand there.")
        shares[name] = share
    if not shares:
        raise WrongTraffic(f"No version gets any traffic; say it like this: {EXAMPLE}.")
    if len(shares) > MOST:
        raise WrongTraffic(f"At most {MOST} versions share the traffic.")
    if shadow in shares:
        raise WrongTraffic(f"Version {shadow} cannot be live and shadow at once.")
    return Traffic(shares=shares, shadow=shadow)


def as_typed(traffic: Traffic) -> str:
    """As ``parse_traffic`` reads it."""
    shares = [f"{version}: {share:.12g}" for version, share in traffic.shares.items()]
    return ", ".join([*shares, *([f"shadow {traffic.shadow}"] if traffic.shadow else [])])


def live_traffic(detail: ModelDetail) -> Traffic | None:
    """Who answers now, in shares of a hundred; ``None`` when nobody does."""
    shares = {each.version: round(each.share * 100, 6) for each in detail.versions if each.share > 0}
    return Traffic(shares=shares, shadow=detail.shadow) if shares else None


def consequences(change: ModelChange, detail: ModelDetail) -> Iterator[Said]:
    """What would come of it, line by line."""
    if change.deed in (Deed.LOAD, Deed.UNLOAD):
        yield from _of_loading(change)
        return
    after = change.traffic if change.deed is Deed.SWITCH else detail.previous
    if after is None:
        yield Said("There is nothing to roll back to: its traffic was never switched.", is_warning=True)
        return
    before = live_traffic(detail)
    yield from _shares(before, after)
    named = {each.version: each for each in detail.versions}
    for version in sorted(after.versions):
        yield from _readiness(version, named)
    if before is not None and _portions(before) == _portions(after) and before.shadow == after.shadow:
        yield Said("That is how the traffic flows already.", is_warning=True)
        return
    yield Said("All processes get ready first, then the traffic moves; no request fails for it.")
    if before is not None:
        yield Said(f"A roll back leads to {as_typed(before)}.")


def _known(name: str, versions: Sequence[str]) -> str:
    if name in versions:
        return name
    near = difflib.get_close_matches(name, versions, n=1, cutoff=0.6)
    way_out = f"did you mean {near[0]}?" if near else f"there are {', '.join(versions) or 'none'}."
    raise WrongTraffic(f"There is no version {name}; {way_out}")


def _shares(before: Traffic | None, after: Traffic) -> Iterator[Said]:
    old, new = _portions(before) if before else {}, _portions(after)
    for version in sorted({*old, *new}):
        was, will = formats.share(old.get(version, 0.0)), formats.share(new.get(version, 0.0))
        yield Said(f"{version}: {was} → {will}" if was != will else f"{version}: {will}, as now")
    shadow = before.shadow if before else None
    if shadow != after.shadow:
        yield Said(f"shadow: {shadow or 'none'} → {after.shadow or 'none'}")


def _portions(traffic: Traffic) -> dict[str, float]:
    total = sum(traffic.shares.values())
    return {version: round(share / total, 9) for version, share in traffic.shares.items()}


def _readiness(version: str, named: Mapping[str, VersionDetail]) -> Iterator[Said]:
    """What stands in the way, or takes time."""
    found = named.get(version)
    if found is None:
        yield Said(f"Version {version} is there no more: it will be refused.", is_warning=True)
        return
    states = [state.state for state in found.processes.values()]
    if failed := states.count("failed"):
        count = "1 process" if failed == 1 else f"{failed} processes"
        text = f"Version {version} failed to load in {count}: it is refused unless it can be loaded there now."
        yield Said(text, is_warning=True)
    if asleep := states.count("asleep"):
        count = "1 process loads" if asleep == 1 else f"{asleep} processes load"
        yield Said(f"Version {version} is asleep: {count} it first.")


def _of_loading(change: ModelChange) -> Iterator[Said]:
    if change.deed is Deed.LOAD:
        yield Said(f"All versions of {change.model} are loaded in the API process that answers, and in no other.")
        return
    text = f"All versions of {change.model} leave the memory of the API process that answers, when what runs has ended."
    yield Said(text, is_warning=True)
    yield Said("Callers whom that process answers get 503 for it until it is loaded again; workers go on.")

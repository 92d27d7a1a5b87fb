"""What needs attention, ranked. An item appears once its trouble lasts, and goes once all has been well for a while."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from zypher_tui.core.concerns import Facts, LinkRule, Rule, Scene, Signal
from zypher_tui.core.items import Item, Severity
from zypher_tui.core.model_rules import MODEL_RULES
from zypher_tui.core.system_rules import LINK_RULES, SYSTEM_RULES
from zypher_tui.core.trends import Trends

RULES: tuple[Rule, ...] = (*SYSTEM_RULES, *MODEL_RULES)
MOST_ITEMS = 50
"""More are no help; what is left out is the least of it."""
NOTED_EVERY_S = 30.0
"""How often the figures of items that stay are noted for those who look back."""
MOST_NOTES = 2_000


class _State(msgspec.Struct):
    """A subject of a rule that is, or may become, an item."""

    signal: Signal
    began_s: float
    heard_s: float
    """When its trouble was last there."""
    severity: Severity
    shown: bool = False


class Moment(msgspec.Struct, frozen=True):
    """When something began to need attention."""

    at_s: float
    item: Item
    """The worst of what did."""


class Attention:
    """Looks at each reading, and says what needs attention. Feed it in the order of time."""

    def __init__(
        self,
        rules: Iterable[Rule] = RULES,
        link_rules: Iterable[LinkRule] = LINK_RULES,
        *,
        most_notes: int = MOST_NOTES,
    ) -> None:
        self._most_notes = most_notes
        self.trends = Trends()
        self._rules = tuple(rules)
        self._link_rules = tuple(link_rules)
        self._states: dict[str, dict[str, _State]] = {}
        self._order = {rule.name: place for place, rule in enumerate((*self._link_rules, *self._rules))}
        self._taken_at: object = None
        self._items: tuple[Item, ...] = ()
        self._notes: list[tuple[float, tuple[Item, ...]]] = []
        self._moments: list[Moment] = []

    @property
    def items(self) -> tuple[Item, ...]:
        """As of the last look: the worst first, among equals the oldest."""
        return self._items

    def look(self, facts: Facts) -> tuple[Item, ...]:
        """Take in what is known now. Items that need figures stay as they were while there are no newer ones."""
        for rule in self._link_rules:
            self._settle(rule, rule.check(facts), facts.at_s)
        if facts.overview is not None and facts.overview.taken_at != self._taken_at:
            self._taken_at = facts.overview.taken_at
            self.trends.add(facts.overview, at_s=facts.at_s)
            for rule in self._rules:
                self._settle(rule, rule.check(self._scene(rule, facts)), facts.at_s)
        self._items = self._ranked()
        self._note(facts.at_s)
        return self._items

    def at(self, at_s: float) -> tuple[Item, ...] | None:
        """What there was at a time in the past; ``None`` for one that was not watched, or too long ago."""
        index = bisect_right(self._notes, at_s, key=lambda note: note[0])
        return self._notes[index - 1][1] if index else None

    @property
    def moments(self) -> Sequence[Moment]:
        """In the order of time."""
        return self._moments

    def nearest(self, at_s: float, *, later: bool) -> Moment | None:
        """The first moment after a time, or the last one before it."""
        moments = self._moments
        index = bisect_right(moments, at_s, key=_at_s) if later else bisect_left(moments, at_s, key=_at_s) - 1
        return moments[index] if 0 <= index < len(moments) else None

    def _note(self, now_s: float) -> None:
        before_s, before = self._notes[-1] if self._notes else (float("-inf"), None)
        is_other = before is None or _kinds(before) != _kinds(self._items)
        if is_other or (self._items and now_s - before_s >= NOTED_EVERY_S):
            known = {item.key for item in before or ()}
            new = next((item for item in self._items if item.key not in known), None)
            if new is not None:
                self._moments.append(Moment(now_s, new))
                del self._moments[: -self._most_notes]
            self._notes.append((now_s, self._items))
            del self._notes[: -self._most_notes]

    def _scene(self, rule: Rule, facts: Facts) -> Scene:
        assert facts.overview is not None
        baselines = {
            subject: state.signal.baseline
            for subject, state in self._states.get(rule.name, {}).items()
            if state.signal.baseline is not None
        }
        return Scene(facts=facts, overview=facts.overview, trends=self.trends, baselines=baselines)

    def _settle(self, rule: Rule | LinkRule, signals: Iterable[Signal], now_s: float) -> None:
        states = self._states.setdefault(rule.name, {})
        for signal in signals:
            state = states.get(signal.subject)
            if state is None:
                if not signal.over:
                    continue
                state = states[signal.subject] = _State(signal, now_s, now_s, signal.severity)
            elif not state.shown and not signal.over:
                del states[signal.subject]  # it never lasted
                continue
            baseline = signal.baseline if state.signal.baseline is None else state.signal.baseline
            state.signal = msgspec.structs.replace(signal, baseline=baseline)
            state.heard_s = now_s
            state.severity = max(state.severity, signal.severity)
            state.shown = state.shown or now_s - state.began_s >= rule.appears_s
        for subject, state in list(states.items()):
            silent_s = now_s - state.heard_s
            is_well = silent_s > 0 and (not state.shown or silent_s >= rule.lingers_s)
            if is_well or now_s - state.began_s >= rule.usual_after_s:
                del states[subject]

    def _ranked(self) -> tuple[Item, ...]:
        items = [
            Item(
                rule=name,
                subject=subject,
                severity=state.severity,
                sentence=state.signal.sentence,
                advice=state.signal.advice,
                target=state.signal.target,
                acts=state.signal.acts,
                since_s=state.began_s,
            )
            for name, states in self._states.items()
            for subject, state in states.items()
            if state.shown
        ]
        items.sort(key=lambda item: (-item.severity, self._order[item.rule], item.since_s, item.subject))
        return tuple(items[:MOST_ITEMS])


def _kinds(items: Iterable[Item]) -> list[tuple[str, Severity]]:
    """What is noted when it changes; figures change all the time."""
    return [(item.key, item.severity) for item in items]


def _at_s(moment: Moment) -> float:
    return moment.at_s

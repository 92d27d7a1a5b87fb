"""What came of an action on many predictions, step by step: done, not done, and of how many nobody knows."""

import msgspec

from zypher_tui.core import formats
from zypher_tui.core.deeds import Counted, Outcome, Verb, ending, predictions


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of one call."""

    touched: int
    skipped: int = 0
    why: str = ""
    """Of the first that was left as it is."""
    unknown: int = 0
    """Of these it does not know itself."""
    replays: dict[str, str] = {}
    """Old id → new one."""
    left: frozenset[str] = frozenset()
    """Ids of those that were left as they are, of which it names some."""

    @property
    def names_all_left(self) -> bool:
        """Whether no other was left as it is."""
        return len(self.left) == self.skipped and not self.unknown


class Tally:
    """Of one action. What a person agreed to is the most that is done."""

    def __init__(self, verb: Verb, counted: Counted, *, is_safe: bool = True) -> None:
        """``is_safe``: the same action again does nothing twice."""
        self.verb = verb
        self.meant = counted.possible if counted.is_all else None
        """What was agreed to; ``None``: at least so many as were counted."""
        self.touched = 0
        self.skipped = 0
        self.unknown = 0
        self.replays = dict[str, str]()
        self._counted = counted
        self._is_safe = is_safe
        self._why = ""
        self._left = set[str]()
        self._is_sure = True
        self._under_way = 0

    @property
    def room(self) -> int | None:
        """How many more may be done; ``None``: any number."""
        return None if self.meant is None else max(self.meant - self.touched, 0)

    def begin(self, most: int) -> None:
        """A step of at most so many is sent: until it is answered nobody knows of them."""
        self._under_way = most if self.room is None else min(most, self.room)

    def refused(self) -> None:
        """The step that was sent did nothing."""
        self._under_way = 0

    def add(self, step: Step) -> None:
        """It was answered."""
        self._under_way = 0
        self.touched += step.touched
        self.skipped += step.skipped
        self.unknown += step.unknown
        self.replays |= step.replays
        self._why = self._why or step.why
        self._left |= step.left
        self._is_sure = self._is_sure and step.names_all_left

    def lose(self) -> None:
        """The step that was sent has no answer."""
        self.unknown += self._under_way
        self._under_way = 0
        self._is_sure = False

    def gone(self, ids: tuple[str, ...] | None) -> tuple[str, ...]:
        """Ids of those that are dropped for certain; only once all steps were answered."""
        if self.verb is not Verb.DROP or not self._is_sure:
            return ()
        return tuple(each for each in ids or () if each not in self._left)

    def ended(self, ids: tuple[str, ...] | None) -> Outcome:
        """All steps are done."""
        said = f"{self.verb.done} {predictions(self.touched)}"
        if self.skipped:
            others = "1 was skipped" if self.skipped == 1 else f"{formats.count(self.skipped)} were skipped"
            said += f"; {others}: {ending(self._why)}" if self._why else f"; {others}"
        said += "."
        if changed := self._not_begun:
            others = (
                "1 of those that were counted was" if changed == 1 else f"{changed:,} of those that were counted were"
            )
            became = "due or ended" if self.verb is Verb.RETRY else "ended"
            said += f" {others} so no longer: {became} meanwhile, or somebody else was quicker."
        return Outcome(sentence=said, touched=self.touched, replays=self.replays, gone=self.gone(ids))

    def stopped(self) -> Outcome:
        """A person had it stopped between two steps."""
        sentence = f"Stopped. {self._so_far}. The rest stays as it is."
        return Outcome(sentence=sentence, touched=self.touched, replays=self.replays)

    def broken_off(self, why: str) -> str:
        """It cannot go on; ``why`` is a sentence."""
        if self.unknown:
            of = f"Of {predictions(self.unknown)} nobody knows: {ending(why)}."
            rest = f" {_were(self._not_begun)} not begun." if self._not_begun else ""
            return f"{self._so_far}. {of}{rest} {self._advice}"
        if not self.touched:
            return why
        return f"{self._so_far}; {_were(self._not_begun)} not: {why}"

    def left_alone(self) -> str:
        """The dashboard is left while it is being done."""
        under_way = self._under_way
        self.lose()
        of = f" Of up to {predictions(under_way)} nobody knows." if under_way else ""
        rest = f" {_were(self._not_begun)} not begun." if self._not_begun else ""
        return f"{self._so_far} when the dashboard was left.{of}{rest} {self._advice}"

    @property
    def _so_far(self) -> str:
        if self.meant is None or self.meant == self.touched:
            return f"{self.verb.done} {predictions(self.touched)}"
        return f"{self.verb.done} {self.touched:,} of {predictions(self.meant)}"

    @property
    def _not_begun(self) -> int:
        """Of those that were agreed to; those that could not be were not among them."""
        new_skips = max(self.skipped - self._counted.skipped, 0)
        return max((self.meant or 0) - self.touched - self.unknown - new_skips, 0)

    @property
    def _advice(self) -> str:
        if self._is_safe:
            done = self.verb.done.lower()
            return f"Press the key again later: the server counts what is left, and none is {done} twice."
        return "Look whether it was done before you try again."


def _were(number: int) -> str:
    return "1 was" if number == 1 else f"{number:,} were"

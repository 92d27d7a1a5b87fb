"""The words of "needs attention": an item, how much it hurts, where it leads, and which key acts on it."""

from enum import IntEnum, StrEnum

import msgspec


class Severity(IntEnum):
    """How much it hurts; more is worse."""

    NOTICE = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """As it is written on the screen."""
        return self.name.lower()

    def counted(self, count: int) -> str:
        """The word behind a number."""
        return self.word if count == 1 or self is Severity.CRITICAL else self.word + "s"


class Screen(StrEnum):
    """Where an item leads."""

    OVERVIEW = "overview"
    PREDICTIONS = "predictions"
    WORKERS = "workers"
    MODELS = "models"
    DEAD_LETTERS = "dead_letters"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What an item is about."""

    screen: Screen
    filter: str = ""
    """Of the list of predictions; the next best where the screen is not there."""
    prediction_id: str = ""
    worker_id: str = ""
    model: str = ""
    queue: str = ""


class Act(msgspec.Struct, frozen=True):
    """A key, and what it does with an item."""

    key: str
    does: str


OPEN = Act("enter", "open")
RETRY = Act("r", "retry all")
RESUME = Act("R", "resume")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs attention."""

    rule: str
    subject: str
    severity: Severity
    sentence: str
    advice: str
    target: Target
    acts: tuple[Act, ...]
    since_s: float
    """When it began, on the clock of the facts."""

    @property
    def key(self) -> str:
        """The same for as long as it is there."""
        return f"{self.rule}:{self.subject}"

"""What came of a load: outcomes, times, rates and errors, in all and second by second."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from zypher_tui.load.latencies import Latencies

MOST_SECONDS = 7_200
MOST_ERRORS = 30
OTHERS = "others"


class Outcome(StrEnum):
    """What came of one request."""

    OK = "ok"
    """2xx, and where it was waited for, its prediction succeeded."""
    FAILED = "failed"
    """Its prediction was accepted, and ended otherwise."""
    REFUSED = "refused"
    """429 or 503: too much for now."""
    CLIENT_ERROR = "client_error"
    """Another 4xx."""
    SERVER_ERROR = "server_error"
    """Another 5xx."""
    NO_ANSWER = "no_answer"
    """The connection failed, or nothing came in time."""
    ABANDONED = "abandoned"
    """Its answer was not waited for: the load was stopped."""


def outcome_of(status: int) -> Outcome:
    """That of an HTTP status."""
    if 200 <= status < 300:
        return Outcome.OK
    if status in (429, 503):
        return Outcome.REFUSED
    return Outcome.SERVER_ERROR if status >= 500 else Outcome.CLIENT_ERROR


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """One second of a load."""

    at_s: float
    """Its end, since the begin."""
    sent: int
    ended: int
    p50_ms: float | None = None
    """Of those that ended well in it."""
    p95_ms: float | None = None


class SeenError(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one kind."""

    label: str
    """``503 overloaded``, ``connection refused``."""
    count: int
    last: str = ""
    """What the last of them said."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Of what ended well, in ms. Of requests with a time of their own, from when they were due."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    mean_ms: float | None = None


class Meter:
    """Counts, in seconds since the begin."""

    def __init__(self) -> None:
        self._times = Latencies()
        self._late = Latencies()
        self._errors: dict[str, SeenError] = {}
        self._seconds: list[Second] = []
        self._now = Latencies()
        """Of the second that is not over."""
        self._sent_now = self._ended_now = 0
        self.sent = 0
        self.held_back = 0
        """Not sent because a refusal said so."""
        self.outcomes: Counter[Outcome] = Counter()

    @property
    def in_flight(self) -> int:
        """Sent, and not ended."""
        return self.sent - self.outcomes.total()

    @property
    def seconds(self) -> Sequence[Second]:
        """Those that are over, oldest first."""
        return self._seconds

    @property
    def errors(self) -> list[SeenError]:
        """The most frequent first."""
        return sorted(self._errors.values(), key=lambda error: -error.count)

    @property
    def times(self) -> Times:
        """As they are now."""
        times = self._times
        p50, p95, p99 = (times.percentile_ms(share) for share in (0.5, 0.95, 0.99))
        return Times(p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=times.max_ms, mean_ms=times.mean_ms)

    @property
    def late_p95_ms(self) -> float | None:
        """How late requests left, after they were due."""
        return self._late.percentile_ms(0.95)

    def leaves(self, at_s: float, *, late_s: float = 0.0) -> None:
        """A request is sent."""
        self.tick(at_s)
        self.sent += 1
        self._sent_now += 1
        self._late.add(late_s * 1000)

    def ends(self, outcome: Outcome, at_s: float, *, took_s: float, label: str = "", said: str = "") -> None:
        """A request that was sent has its outcome; ``label`` names its error."""
        self.tick(at_s)
        self.outcomes[outcome] += 1
        self._ended_now += 1
        if outcome is Outcome.OK:
            self._times.add(took_s * 1000)
            self._now.add(took_s * 1000)
        elif label:
            self._note(label, said)

    def abandon(self, at_s: float) -> None:
        """Nobody waits for what is under way."""
        self.tick(at_s)
        self.outcomes[Outcome.ABANDONED] += self.in_flight

    def tick(self, at_s: float) -> None:
        """Close the seconds that are over by then."""
        while len(self._seconds) + 1 <= at_s and len(self._seconds) < MOST_SECONDS:
            self._seconds.append(
                Second(
                    at_s=len(self._seconds) + 1.0,
                    sent=self._sent_now,
                    ended=self._ended_now,
                    p50_ms=self._now.percentile_ms(0.5),
                    p95_ms=self._now.percentile_ms(0.95),
                )
            )
            self._now = Latencies()
            self._sent_now = self._ended_now = 0

    def counts(self) -> Mapping[Outcome, int]:
        """Of every outcome."""
        return {outcome: self.outcomes[outcome] for outcome in Outcome}

    def _note(self, label: str, said: str) -> None:
        if label not in self._errors and len(self._errors) >= MOST_ERRORS:
            label, said = OTHERS, ""
        seen = self._errors.get(label)
        self._errors[label] = SeenError(label=label, count=seen.count + 1 if seen else 1, last=said)

"""``status:failed model:fraud* age<1h "connection refused"``: which predictions a list shows.

::

    term     what it keeps
    word     predictions with it in id, model, caller, worker, input, output or error, in any case
    "a b"    the same with spaces
    key:v    those whose key is v; ``*`` stands for anything, a comma for "or"
    key<n    those with less, also <=, >, >=; times as 200ms, 30s, 5m, 2h, 1d
    key<t    those before, for created and finished; t as 14:05, 14:05:30 or 2026-11-03T14:05:30Z
    -term    those that the term does not keep

All terms must hold. What a prediction does not have (the run time of one that waits) is neither more nor less than
anything.
"""

import contextlib
import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from datetime import time as clock_time
from fnmatch import fnmatchcase

import msgspec

from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_tui.core.rows import Row, at_of, ms_of

_TERM = re.compile(r'\s*(-?)((?:[a-z_]+)(?::|<=|>=|<|>))?("(?:[^"\\]|\\.)*"|[^\s"]*)')
_KEY = re.compile(r"([a-z_]+)(:|<=|>=|<|>)")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS_MS = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Test = Callable[[Row, int], bool]


class WrongFilter(ValueError):
    """It cannot be understood; the message says where, and the way out."""


class Term(msgspec.Struct, frozen=True):
    """One of a filter's, as it was typed: ``-model:a``."""

    is_negated: bool
    name: str
    """Empty: a word."""
    sign: str
    word: str


class Filter(msgspec.Struct, frozen=True):
    """What ``parse`` read."""

    text: str = ""
    tests: tuple[Test, ...] = ()
    has_ages: bool = False
    """Whether it keeps others as time goes on."""
    terms: tuple[Term, ...] = ()

    def keeps(self, row: Row, now_ms: int) -> bool:
        """Whether a prediction is shown; ages count from ``now_ms``."""
        return all(test(row, now_ms) for test in self.tests)

    def kept(self, rows: Iterable[Row], now_ms: int) -> list[Row]:
        """Those of many that are shown: ``keeps``, at half its price for each."""
        found = list(rows)
        for test in self.tests:
            found = [row for row in found if test(row, now_ms)]
        return found


EVERYTHING = Filter()


def parse(text: str) -> Filter:
    """Read a filter; raises ``WrongFilter``."""
    tests: list[Test] = []
    terms: list[Term] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TERM.match(text, position)
        if match is None or match.end() == position or (match[3] == "" and not match[2]):
            raise WrongFilter(
                "A quote has no end." if '"' in text[position:] else "There is a - with nothing behind it."
            )
        position = match.end()
        key, word = match[2] or "", _plain(match[3])
        test = _test(key, word, is_quoted=match[3].startswith('"'))
        tests.append(_not(test) if match[1] else test)
        name = key.rstrip(":<>=")
        terms.append(Term(bool(match[1]), name, key.removeprefix(name), word))
    return Filter(text.strip(), tuple(tests), has_ages=any(term.name == "age" for term in terms), terms=tuple(terms))


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def _test(key: str, word: str, *, is_quoted: bool) -> Test:
    if not key:
        return _mentions(word.lower())
    match = _KEY.fullmatch(key)
    assert match is not None
    name, sign = match.groups()
    if not word and not is_quoted:
        raise WrongFilter(f"{name}{sign} has nothing behind it.")
    if sign == ":":
        if name not in TEXTS:
            if name in INSTANTS:
                raise WrongFilter(f"{name} is compared by < and >, such as {name}>14:05.")
            raise WrongFilter(_unknown(name, TEXTS, NUMBERS, "is compared by < and >, such as {}<1s"))
        return _is(name, word)
    if name in INSTANTS:
        return _is_before(name, sign, word)
    if name not in NUMBERS:
        raise WrongFilter(_unknown(name, NUMBERS, TEXTS, "is compared by :, such as {}:a*"))
    return _compares(name, sign, word)


def _unknown(name: str, known: Mapping[str, object], others: Mapping[str, object], otherwise: str) -> str:
    if name in others:
        return f"{name} {otherwise.format(name)}."
    near = difflib.get_close_matches(name, [*known, *others, *INSTANTS], n=1)
    return f"There is no key {name!r}. " + (f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.")


def _mentions(word: str) -> Test:
    def test(row: Row, _: int) -> bool:
        return (
            word in row.input_preview.lower()
            or word in row.output_preview.lower()
            or word in row.error_message.lower()
            or word in row.prediction_id
            or word in row.model
            or word in row.error_code
            or word in row.worker.lower()
            or word in row.caller.lower()
        )

    return test


def _is(name: str, word: str) -> Test:
    wanted = [each.lower() for each in word.split(",")]
    if name in CHOICES:
        for each in wanted:
            if "*" not in each and each not in CHOICES[name]:
                near = difflib.get_close_matches(each, CHOICES[name], n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(CHOICES[name])}."
                raise WrongFilter(f"No {name} is called {each!r}. {hint}")
    read = TEXTS[name]
    if not any("*" in each for each in wanted):
        known = frozenset(wanted)
        return lambda row, _: read(row).lower() in known
    patterns = [re.sub(r"([\[?])", r"[\1]", each) for each in wanted]  # only * stands for something
    return lambda row, _: any(fnmatchcase(read(row).lower(), pattern) for pattern in patterns)


def _compares(name: str, sign: str, word: str) -> Test:
    read, is_time = NUMBERS[name]
    match = _TIME.fullmatch(word) if is_time else re.fullmatch(r"(\d+)()", word)
    if match is None:
        wanted = "a time such as 200ms, 30s, 5m, 2h or 1d" if is_time else "a whole number"
        raise WrongFilter(f"{name}{sign} takes {wanted}, not {word!r}.")
    bound = _bound(match)
    compare = _COMPARE[sign]

    def test(row: Row, now_ms: int) -> bool:
        value = read(row, now_ms)
        return value is not None and compare(value, bound)

    return test


def _bound(match: re.Match[str]) -> float:
    return float(match[1]) * _UNITS_MS.get(match[2], 1)


def bound_ms(word: str) -> float:
    """What ``age<`` compares with."""
    match = _TIME.fullmatch(word)
    assert match is not None
    return _bound(match)


def instant_ms(word: str, now_ms: int) -> int:
    """What ``created<`` compares with."""
    bound = _instant(word)
    assert bound is not None
    return bound if isinstance(bound, int) else _last(bound, now_ms)


def _is_before(name: str, sign: str, word: str) -> Test:
    """Compares instants: a whole one, or a time of the last 24 hours, local to the dashboard."""
    read, compare = INSTANTS[name], _COMPARE[sign]
    bound = _instant(word)
    if bound is None:
        raise WrongFilter(f"{name}{sign} takes 14:05, 14:05:30 or 2026-11-03T14:05:30Z, not {word!r}.")

    def test(row: Row, now_ms: int) -> bool:
        at_ms = read(row)
        return at_ms is not None and compare(at_ms, bound if isinstance(bound, int) else _last(bound, now_ms))

    return test


def _instant(word: str) -> int | clock_time | None:
    with contextlib.suppress(ValueError):
        found = clock_time.fromisoformat(word)
        return found if found.tzinfo is None else None
    with contextlib.suppress(ValueError, OverflowError):
        return ms_of(datetime.fromisoformat(word.upper()))
    return None


def _last(time_: clock_time, now_ms: int) -> int:
    """When the clock last showed that time."""
    now = at_of(now_ms).astimezone()
    at = datetime.combine(now.date(), time_, now.tzinfo)
    return ms_of(at if at <= now else at - timedelta(days=1))


def _not(test: Test) -> Test:
    return lambda row, now_ms: not test(row, now_ms)


TEXTS: dict[str, Callable[[Row], str]] = {
    "status": lambda row: row.status.value,
    "model": lambda row: row.model,
    "version": lambda row: row.version,
    "mode": lambda row: row.mode.value,
    "priority": lambda row: row.priority.value,
    "id": lambda row: row.prediction_id,
    "worker": lambda row: row.worker,
    "caller": lambda row: row.caller,
    "error": lambda row: row.error_code,
    "fingerprint": lambda row: row.fingerprint,
    "input": lambda row: row.input_preview,
    "output": lambda row: row.output_preview,
}
"""What ``key:`` compares."""
NUMBERS: dict[str, tuple[Callable[[Row, int], float | None], bool]] = {
    "age": (lambda row, now_ms: now_ms - row.created_ms, True),
    "wait": (lambda row, _: row.wait_ms, True),
    "run": (lambda row, _: row.run_ms, True),
    "total": (lambda row, _: row.total_ms, True),
    "attempts": (lambda row, _: row.attempts, False),
}
"""What ``key<`` compares, and whether it is a time."""
INSTANTS: dict[str, Callable[[Row], int | None]] = {
    "created": lambda row: row.created_ms,
    "finished": lambda row: row.finished_ms,
}
"""What is before or after an instant."""
CHOICES = {
    "status": [each.value for each in Status],
    "mode": [each.value for each in Mode],
    "priority": [each.value for each in Priority],
}
"""Keys with few values, whose typing errors are worth saying."""

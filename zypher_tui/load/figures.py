"""What may be checked of a load: ``p95_ms<300,failed==0``."""

from collections.abc import Callable, Mapping

from zypher_tui.load.meter import Outcome
from zypher_tui.load.report import Report

_GOOD_OR_REFUSED = (Outcome.OK, Outcome.REFUSED, Outcome.ABANDONED)


def figure(name: str, report: Report) -> float | None:
    """One of ``FIGURES``; ``None`` where nothing is known of it: no times where nothing ended well."""
    return FIGURES[name](report)


def _of(outcome: Outcome) -> Callable[[Report], float]:
    return lambda report: report.outcomes[outcome]


def _failed(report: Report) -> float:
    return sum(count for outcome, count in report.outcomes.items() if outcome not in _GOOD_OR_REFUSED)


FIGURES: Mapping[str, Callable[[Report], float | None]] = {
    "sent": lambda report: report.sent,
    "ok": _of(Outcome.OK),
    "failed": _failed,
    "refused": _of(Outcome.REFUSED),
    "abandoned": _of(Outcome.ABANDONED),
    "no_answer": _of(Outcome.NO_ANSWER),
    "unsent": lambda report: max(report.planned - report.sent, 0) if report.due is not None else 0,
    "per_s": lambda report: report.sent_per_s,
    "p50_ms": lambda report: report.times.p50_ms,
    "p95_ms": lambda report: report.times.p95_ms,
    "p99_ms": lambda report: report.times.p99_ms,
    "max_ms": lambda report: report.times.max_ms,
    "mean_ms": lambda report: report.times.mean_ms,
    "late_ms": lambda report: report.late_p95_ms,
    "open": lambda report: report.open,
}
"""``failed`` is all that was answered badly or not at all, but for refusals, which have a figure of their own."""

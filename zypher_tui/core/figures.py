"""The numbers on top, out of the samples of the last minute."""

from zypher_jobs.contracts.stats import Overview
from zypher_tui.core.history import History, Sample
from zypher_tui.core.view import Figures

WINDOW_S = 60.0
"""What the failed share and the percentiles look back on."""
THROUGHPUT_WINDOW_S = 5.0
"""What the throughput is averaged over: a batch of workers' reports arrives in lumps."""


def figures_of(overview: Overview, history: History) -> Figures:
    """Those of the overview that the history ends with."""
    queue = overview.queue
    depth, running, oldest_age_ms = queue.depth, queue.running, queue.oldest_age_ms
    last = history.last
    if last is None:
        return Figures(depth=depth, running=running, oldest_age_ms=oldest_age_ms)
    window = history.before(WINDOW_S)
    if window is not None and last.finished == window.finished:
        window = None  # nothing ended lately: all there is says more than nothing
    finished = last.finished - (window.finished if window else 0)
    failed = last.failed - (window.failed if window else 0)
    wait = last.wait.since(window.wait) if window else last.wait
    run = last.run.since(window.run) if window else last.run
    return Figures(
        depth=depth,
        running=running,
        oldest_age_ms=oldest_age_ms,
        per_s=_throughput(last, history.before(THROUGHPUT_WINDOW_S)),
        failed_share=failed / finished if finished else None,
        wait_p50=wait.percentile(0.5),
        wait_p95=wait.percentile(0.95),
        run_p50=run.percentile(0.5),
        run_p95=run.percentile(0.95),
        window_s=last.at_s - window.at_s if window else None,
    )


def _throughput(last: Sample, before: Sample | None) -> float | None:
    if before is None:
        return None
    return (last.finished - before.finished) / (last.at_s - before.at_s)

"""Predictions that are made up: one that somebody asks for, and those that had ended before the start."""

import hashlib
import math
import random
from collections.abc import Mapping

from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_tui.sources.demo.cast import CALLERS, MODELS, chosen
from zypher_tui.sources.demo.records import Run, past_attempt

API_PROCESS = "api-00000001"
SHARES = {model.name: model.shares for model in MODELS.values()}
"""How the traffic flows at the start."""
EARLIER, EARLIER_S = 2_000, 4_000.0
"""Predictions from before the start, and the time over which they came."""
_WORKERS = tuple(hashlib.sha256(f"old worker{number}".encode()).hexdigest()[:12] for number in range(4))


def id_of(name: str) -> str:
    """Of the prediction that is called that in here."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def asked(rng: random.Random, name: str, created_s: float, shares: Mapping[str, Mapping[str, float]]) -> Run:
    """One that somebody asks for now; ``shares``: model → the versions that answer it."""
    model = MODELS[chosen(rng, {model.name: model.weight for model in MODELS.values()})]
    return Run(
        prediction_id=id_of(name),
        model=model.name,
        version=chosen(rng, shares[model.name]),
        mode=rng.choices((Mode.ASYNC, Mode.SYNC), (5, 1))[0],
        priority=rng.choices(tuple(Priority), (3, 15, 2))[0],
        caller=chosen(rng, CALLERS),
        given=model.ask(rng),
        created_s=created_s,
    )


def earlier(seed: int) -> dict[str, Run]:
    """What there was before the start, newest first; all of it has ended."""
    rng = random.Random(f"earlier {seed}")  # noqa: S311  # a simulation
    runs = (_ended(rng, number) for number in range(EARLIER))
    return {run.prediction_id: run for run in runs}


def _ended(rng: random.Random, number: int) -> Run:
    created_s = -(number + rng.random()) * EARLIER_S / EARLIER - 2
    run = asked(rng, f"earlier{number}", created_s, SHARES)
    model = MODELS[run.model]
    if (model.version(run.version).uploaded_s or -math.inf) > created_s:
        run.version = "1"
    version = model.version(run.version)
    run.attempts = 1
    run.worker = API_PROCESS if run.mode is Mode.SYNC else rng.choice(_WORKERS)
    run.started_s = created_s + rng.expovariate(8)
    run.finished_s = run.started_s + rng.lognormvariate(math.log(version.median_s), version.spread)
    failure = next((each for share, each in version.failures if rng.random() < share), None)
    if failure is not None and failure.is_retried and run.mode is Mode.ASYNC:  # the second attempt made it good, mostly
        run.past = [past_attempt(run, failure.error, run.finished_s)]
        run.attempts, run.started_s, run.finished_s = 2, run.finished_s + 1.5, run.finished_s + 2
        failure = failure if rng.random() < 0.2 else None
    run.failure = failure
    run.status = Status.SUCCEEDED if run.failure is None else Status.FAILED
    run.is_replayed = run.failure is not None  # long ago
    return run

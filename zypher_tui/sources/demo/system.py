"""A simulated system: the same facts at the same time for the same seed, with no server. For tests and pictures."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import (
    DeadLetter,
    DeadLetterGroup,
    Mode,
    Prediction,
    PredictionSummary,
    Priority,
    Status,
)
from zypher_jobs.contracts.stats import Health, Overview, PartHealth
from zypher_jobs.contracts.webhook import Delivery
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.letters import grouped
from zypher_tui.core.readings import SourceName
from zypher_tui.core.story import Told
from zypher_tui.sources.demo.deliveries import deliveries_of
from zypher_tui.sources.demo.deployments import Deployed
from zypher_tui.sources.demo.figures import queue_stats
from zypher_tui.sources.demo.made import earlier
from zypher_tui.sources.demo.records import Run, at
from zypher_tui.sources.demo.simulation import Simulation


class DemoSystem(Simulation):
    """What an API, or Redis, says of it. Set ``away`` and ``busy`` at any time; facts change with ``advance``."""

    def __init__(self, *, seed: int = 7, workers: int = 4, slots: int = 3, busy: bool = True) -> None:
        super().__init__(seed=seed, workers=workers, slots=slots, busy=busy)
        self.away: set[SourceName] = set()
        self._seed = seed

    def health(self) -> Health:
        """``GET /health``."""
        redis_up = SourceName.REDIS not in self.away
        redis = PartHealth(ok=True, latency_ms=0.3) if redis_up else PartHealth(ok=False, detail="connection refused")
        return Health(
            status="ok" if redis_up else "degraded",
            version="0.1.0",
            uptime_s=11_000 + self.now_s,
            redis=redis,
            workers=PartHealth(ok=True),
            workers_alive=len(self.fleet.alive),
            models={each.model.name: _health_of(each) for each in self.deployments.all},
        )

    def overview(self, *, latest: int = 100) -> Overview:
        """``GET /stats``."""
        waiting = {priority: list(runs) for priority, runs in self._waiting.items()}
        for _, run in self._later:
            waiting[run.priority].append(run)
        running = [run for run in self._running if run.mode is Mode.ASYNC]
        ended_per_s = self._counters.ended_per_s(self.now_s)
        return Overview(
            taken_at=at(self.now_s),
            redis_ms=0.3,
            queue=queue_stats("default", list(chain(*waiting.values())), len(running), self.now_s),
            queues=[
                queue_stats(
                    priority.value,
                    waiting[priority],
                    sum(run.priority is priority for run in running),
                    self.now_s,
                    paused=priority in self.paused,
                    ended_per_s=ended_per_s[priority],
                )
                for priority in Priority
            ],
            ended_per_s=sum(ended_per_s.values()),
            dead_letters=sum(run.is_dead for run in self._runs.values()),
            counts=self._counters.counts(),
            latencies=self._counters.latencies(),
            workers=sorted(
                (worker.stats(self.now_s, self.fleet.slots) for worker in self.fleet.alive),
                key=lambda worker: worker.worker_id,
            ),
            latest=self._newest(latest),
        )

    def prediction(self, prediction_id: str) -> Prediction:
        """``GET /predict/{id}``."""
        run = self.find(prediction_id)
        waiting = self._waiting[run.priority]
        return run.whole(self.now_s, waiting.index(run) if run in waiting else None)

    def given(self, prediction_id: str) -> object:
        """Its whole input."""
        return self.find(prediction_id).given

    def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """Lines of those that are known."""
        found = (self._runs.get(each) or self._earlier.get(each) for each in prediction_ids)
        return [run.summary(self.now_s) for run in found if run is not None]

    def page(self, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """Newest first, those from before the start too; the cursor is the last one's id."""
        every = self.every
        if before is not None:
            for run in every:
                if run.prediction_id == before:
                    break
        runs = list(islice(every, limit))
        return [run.summary(self.now_s) for run in runs], runs[-1].prediction_id if len(runs) == limit else None

    def story(self, prediction_id: str) -> list[Told]:
        """``GET /predict/{id}/events`` as far as it goes."""
        run = self.find(prediction_id)
        return [*run.said(self.now_s), *([Told(kind="end")] if run.status.is_terminal else [])]

    def deliveries(self, prediction_id: str) -> list[Delivery]:
        """Who was told of its end."""
        return deliveries_of(self.find(prediction_id))

    def dead_letters(self) -> list[DeadLetter]:
        """Newest first."""
        dead = [run for run in self._runs.values() if run.is_dead]
        return [run.letter() for run in sorted(dead, key=lambda run: -(run.finished_s or 0))]

    def dead_letter_groups(self) -> list[DeadLetterGroup]:
        """By the kind of their error, with what went well last."""
        good: dict[str, Run] = {}
        for run in self._runs.values():
            if run.status is Status.SUCCEEDED and (run.finished_s or 0) >= (good.get(run.model, run).finished_s or 0):
                good[run.model] = run
        return [
            msgspec.structs.replace(group, last_good_id=run.prediction_id, last_good_at=at(run.finished_s or 0))
            if (run := good.get(group.model))
            else group
            for group in grouped(self.dead_letters())
        ]

    def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """What a worker runs, newest first."""
        found = [run for run in self._running if run.worker == worker_id]
        return [run.summary(self.now_s) for run in sorted(found, key=lambda run: -run.created_s)]

    @property
    def last_event_id(self) -> str | None:
        """Of what happened last."""
        return self._chronicle.last_id

    def events(self, after_id: str | None) -> list[Event]:
        """What happened behind that one, as far as it is kept."""
        return self._chronicle.since(after_id)

    @property
    def every(self) -> Iterator[Run]:
        """All that is known, newest first."""
        return chain(reversed(self._runs.values()), self._earlier.values())

    def forget(self, run: Run) -> None:
        """Nothing is known of it any more."""
        self._runs.pop(run.prediction_id, None)
        self._earlier.pop(run.prediction_id, None)

    @cached_property
    def _earlier(self) -> dict[str, Run]:
        return earlier(self._seed) if self.busy else {}

    def find(self, prediction_id: str) -> Run:
        """The one with that id. Raises ``UnknownPrediction``."""
        run = self._runs.get(prediction_id) or self._earlier.get(prediction_id)
        if run is None:
            raise UnknownPrediction(prediction_id)
        return run

    def _newest(self, limit: int) -> list[PredictionSummary]:
        return [run.summary(self.now_s) for run in islice(reversed(self._runs.values()), limit)]


def _health_of(deployed: Deployed) -> PartHealth:
    return PartHealth(ok=True) if deployed.is_loaded else PartHealth(ok=False, detail="is not loaded")

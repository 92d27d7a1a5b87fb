"""What a person does to the simulated system: refused for the same reasons, and in the same words, as by a server."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from zypher_jobs.contracts.operation import BulkRequest
from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_jobs.errors import Conflict, InvalidInput, ModelNotReady, UnknownQueue, UnknownVersion
from zypher_tui.core.deeds import Verb
from zypher_tui.core.fitting import misfit
from zypher_tui.core.traffic import Deed, ModelChange
from zypher_tui.sources.demo.cast import chosen
from zypher_tui.sources.demo.made import id_of
from zypher_tui.sources.demo.records import Run, at
from zypher_tui.sources.demo.served import BROKEN, broken_in
from zypher_tui.sources.demo.system import DemoSystem

DEFAULT_MODEL = "mock"


class Hands:
    """Acts at the system's present time. Every call raises the ``ZypherError`` that a server would answer with."""

    def __init__(self, system: DemoSystem) -> None:
        self._system = system
        self._random = random.Random("hands")  # noqa: S311  # a simulation
        self._sent = 0

    def cancel(self, prediction_id: str) -> Run:
        """Cancel one; what has ended stays as it is."""
        run = self._system.find(prediction_id)
        self._system.stop(run)
        return run

    def retry(self, prediction_id: str) -> Run:
        """Have one that waits for its next attempt be due."""
        run = self._system.find(prediction_id)
        self._require_later(run)
        self._system.hurry(run)
        return run

    def replay(self, prediction_id: str) -> Run:
        """Ask for the same again, of whichever version is live; a dead letter is one no longer."""
        old = self._system.find(prediction_id)
        if not old.status.is_terminal:
            raise Conflict(f"Prediction {prediction_id!r} has not ended; wait for its end, or cancel it first.")
        if old.mode is Mode.SYNC:
            raise Conflict(f"Prediction {prediction_id!r} was answered at once: its input is not kept; send it again.")
        new = self.submit(old.model, old.given, priority=old.priority, caller=old.caller, replay_of=prediction_id)
        old.is_replayed = True
        return new

    def drop(self, prediction_id: str) -> None:
        """Forget one that has ended."""
        run = self._system.find(prediction_id)
        if not run.status.is_terminal:
            raise Conflict(f"Prediction {prediction_id!r} has not ended; cancel it first.")
        self._system.forget(run)

    def turn(self, queue: str, *, paused: bool) -> None:
        """Pause a queue, or resume it."""
        if queue not in {priority.value for priority in Priority}:
            raise UnknownQueue(queue, hint=f" There are {', '.join(Priority)}.")
        self._system.colleague.hands_off.add(queue)
        if paused:
            self._system.paused.add(Priority(queue))
        else:
            self._system.paused.discard(Priority(queue))

    def submit(
        self,
        model: str,
        given: Any,
        *,
        version: str = "",
        priority: Priority = Priority.NORMAL,
        caller: str = "",
        replay_of: str = "",
    ) -> Run:
        """Ask for a prediction; it fails for its input alone, and not by chance."""
        system = self._system
        deployed = system.deployments.of(model)
        if not deployed.is_loaded:
            raise ModelNotReady(f"Model {model!r} is not ready: it is not loaded.")
        known = [each.name for each in deployed.model.versions if each.is_there(system.now_s)]
        if version and version not in known:
            raise UnknownVersion(model, version, known=known)
        if (wrong := misfit(msgspec.json.encode(given).decode(), deployed.model.schema)) is not None:
            raise InvalidInput(wrong.says, field=wrong.path)
        self._sent += 1
        run = Run(
            prediction_id=id_of(f"sent{self._sent}"),
            model=model,
            version=version or chosen(self._random, deployed.live.shares),
            mode=Mode.ASYNC,
            priority=priority,
            caller=caller,
            given=given,
            created_s=system.now_s,
            replay_of=replay_of,
            is_fair=True,
        )
        system.take(run)
        return run

    def change(self, change: ModelChange) -> None:
        """Change how a model is deployed."""
        system, deployed = self._system, self._system.deployments.of(change.model)
        traffic = change.traffic if change.deed is Deed.SWITCH else deployed.previous
        if change.deed is Deed.LOAD:
            deployed.is_loaded = True
        elif change.deed is Deed.UNLOAD:
            if change.model == DEFAULT_MODEL:
                raise Conflict(f"Model {change.model!r} is the default one: POST /predict and /health/ready need it.")
            deployed.is_loaded = False
        elif traffic is None:
            raise Conflict(f"Nothing to roll {change.model!r} back to: its traffic was never switched.")
        else:
            for version in sorted(traffic.versions):
                if process := broken_in(system, change.model, version):
                    raise Conflict(f"{change.model}@{version} failed to load on {process}: {BROKEN}.")
            system.switch(change.model, traffic)
        system.colleague.hands_off.add(change.model)

    def meant(self, asked: BulkRequest, verb: Verb) -> Iterator[str]:
        """Ids of those that a bulk call means, newest first; a filter has only dead letters replayed of what failed."""
        if asked.ids is not None:
            yield from dict.fromkeys(asked.ids)
            return
        statuses = verb.usual if asked.status is None else (asked.status,)
        for run in self._system.every:
            is_done = verb is Verb.REPLAY and run.status is Status.FAILED and not run.is_dead
            is_due = verb is Verb.RETRY and not self._system.waits_for_a_time(run)
            if run.status in statuses and not is_done and not is_due and _fits(asked, run):
                yield run.prediction_id

    def do(self, verb: Verb, prediction_id: str, *, once: bool, dry_run: bool) -> Run | None:
        """One of many; the new one of a replay. With ``once``, what was replayed before is left alone."""
        run = self._system.find(prediction_id)
        if verb is Verb.RETRY:
            self._require_later(run)
        elif run.status not in verb.possible:
            raise Conflict(f"Prediction {prediction_id!r} is {run.status} and stays as it is.")
        if verb is Verb.REPLAY and once and run.is_replayed:
            raise Conflict(f"Prediction {prediction_id!r} was replayed already.")
        if dry_run:
            return None
        if verb is Verb.REPLAY:
            return self.replay(prediction_id)
        act = {Verb.CANCEL: self.cancel, Verb.RETRY: self.retry, Verb.DROP: self.drop}[verb]
        act(prediction_id)
        return None

    def _require_later(self, run: Run) -> None:
        if run.status.is_terminal:
            raise Conflict(f"Prediction {run.prediction_id!r} has ended; replay it to ask for it again.")
        if run.status is Status.RUNNING:
            raise Conflict(f"Prediction {run.prediction_id!r} is running already.")
        if not self._system.waits_for_a_time(run):
            raise Conflict(f"Prediction {run.prediction_id!r} is due already; it waits for its turn, not for a time.")


def _fits(asked: BulkRequest, run: Run) -> bool:
    return (
        asked.model in (None, run.model)
        and asked.priority in (None, run.priority)
        and asked.fingerprint in (None, run.fingerprint)
        and asked.caller in (None, run.caller)
        and (asked.created_after is None or at(run.created_s) >= asked.created_after)
        and (asked.created_before is None or at(run.created_s) < asked.created_before)
    )

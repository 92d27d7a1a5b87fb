"""Runs a user's ``Model`` class: plain ``predict`` in a thread, ``async def predict`` on the event loop."""

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any, cast

from zypher_jobs.models.call import Call
from zypher_jobs.models.context import enter
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.model import Model
from zypher_jobs.models.runtimes.outputs import Outputs, model_error
from zypher_jobs.models.runtimes.threads import ModelThreads
from zypher_jobs.models.runtimes.unwanted import end_when_unwanted

CLOSE_TIMEOUT_S = 2.0
"""How long ``unload`` waits for threads; predictions have drained before, only hung ones are left."""


class PythonRuntime:
    """One instance of a model's class, and its threads.

    A prediction that outlives its deadline fails at once, but its thread cannot be killed: it goes on until ``predict``
    returns, or looks at ``context.check()``, and takes up one of the threads until then.
    """

    __slots__ = ("_model", "_model_class", "_outputs", "_threads", "definition")

    def __init__(self, model_class: type[Model[Any, Any]], definition: ModelDefinition) -> None:
        self.definition = definition
        self._model_class = model_class
        self._threads: ModelThreads | None = None
        self._model: Model[Any, Any] | None = None
        self._outputs = Outputs(definition)

    def load(self) -> None:
        """Make the instance and let it load."""
        model = self._model_class()
        model.load()
        self._model = model
        self._threads = ModelThreads(self.definition.concurrency or 1, name=self.definition.reference)

    def unload(self) -> None:
        """Let the instance go; a thread that hangs is left behind and ends with the process."""
        model, self._model = self._model, None
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close(CLOSE_TIMEOUT_S)
        if model is not None:
            model.unload()

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """See ``Runtime``; raises ``ModelError`` (``TypeName: text``, with traceback) or ``PredictionTimeout``."""
        model = cast("Model[Any, Any]", self._model)
        if not self.definition.is_async:
            return await cast("ModelThreads", self._threads).submit(self._predict, model, calls)
        timeout = asyncio.timeout(max(call.remaining_s for call in calls))
        if self.definition.concurrency is not None:  # else the caller's own task runs it, and is canceled itself
            end_when_unwanted(timeout, calls)
        try:
            async with timeout:
                return await self._predict_async(model, calls)
        except TimeoutError:  # never the model's own: that is a ModelError by now
            if timeout.expired():
                raise calls[0].timed_out(self.definition.name) from None
            raise

    def _predict(self, model: Model[Any, Any], calls: Sequence[Call]) -> list[Any]:
        enter(calls)
        try:
            if self.definition.takes_many:
                return self._outputs.many(model.predict([call.input for call in calls]), len(calls))
            (call,) = calls
            if self.definition.streams:
                return [self._outputs.collect(model.predict(call.input), call)]
            return [self._outputs.one(model.predict(call.input))]
        except BaseException as error:
            raise model_error(error) from error

    async def _predict_async(self, model: Model[Any, Any], calls: Sequence[Call]) -> list[Any]:
        enter(calls)
        try:
            if self.definition.takes_many:
                return self._outputs.many(await model.predict([call.input for call in calls]), len(calls))
            (call,) = calls
            returned = model.predict(call.input)
            if inspect.isasyncgen(returned):
                return [await self._outputs.collect_async(returned, call)]
            return [self._outputs.one(await returned)]
        except (Exception, SystemExit) as error:
            raise model_error(error) from error

"""Runs a user's ``Model`` class: plain ``predict`` in a thread, ``async def predict`` on the event loop."""

import asyncio
import traceback
import typing
from typing import Any, cast

from zypher_jobs.errors import ModelError, PredictionTimeout
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.model import Model
from zypher_jobs.models.runtimes.threads import ModelThreads


class PythonRuntime:
    """One instance of a model's class.

    A prediction that outlives its timeout (which begins when it waits for a thread) fails at once, but its thread
    cannot be killed: it goes on until ``predict`` returns and takes up one of the threads until then.
    """

    __slots__ = ("_check", "_model", "_model_class", "_threads", "definition")

    def __init__(self, model_class: type[Model[Any, Any]], definition: ModelDefinition, threads: ModelThreads) -> None:
        self.definition = definition
        self._model_class = model_class
        self._threads = threads
        self._model: Model[Any, Any] | None = None
        self._check = _class_of(definition.output_type)

    def load(self) -> None:
        """Make the instance and let it load."""
        model = self._model_class()
        model.load()
        self._model = model

    async def run(self, input: Any, timeout_s: float) -> Any:
        """One prediction; raises ``ModelError`` (``TypeName: text``, with traceback) or ``PredictionTimeout``."""
        call = self._predict_async(input) if self.definition.is_async else self._threads.submit(self._predict, input)
        timeout = asyncio.timeout(timeout_s)
        try:
            async with timeout:
                return await call
        except TimeoutError:  # never the model's own: that is a ModelError by now
            if timeout.expired():
                name = self.definition.name
                raise PredictionTimeout(f"Model {name!r} did not answer within {timeout_s:g} s.") from None
            raise

    def _predict(self, input: Any) -> Any:
        try:
            model = cast("Model[Any, Any]", self._model)
            return self._output(model.predict([input] if self.definition.takes_many else input))
        except ModelError:
            raise
        except BaseException as error:
            raise _model_error(error) from error

    async def _predict_async(self, input: Any) -> Any:
        try:
            model = cast("Model[Any, Any]", self._model)
            return self._output(await model.predict([input] if self.definition.takes_many else input))
        except ModelError:
            raise
        except (Exception, SystemExit) as error:
            raise _model_error(error) from error

    def _output(self, returned: Any) -> Any:
        """The one output of what ``predict`` returned, if it is what it should be."""
        name = self.definition.name
        if self.definition.takes_many:
            if not isinstance(returned, list):
                raise ModelError(f"Model {name!r} returned {type(returned).__name__} instead of a list of outputs.")
            outputs = cast("list[Any]", returned)
            if len(outputs) != 1:
                raise ModelError(f"Model {name!r} returned {len(outputs)} outputs for 1 input.")
            returned = outputs[0]
        if not isinstance(returned, self._check):
            wanted = getattr(self.definition.output_type, "__name__", str(self.definition.output_type))
            raise ModelError(f"Model {name!r} returned {type(returned).__name__} instead of {wanted}.")
        return returned


def _model_error(error: BaseException) -> ModelError:
    trace = "".join(traceback.format_exception(error))
    return ModelError(f"{type(error).__name__}: {error}", traceback=trace)


def _class_of(output_type: Any) -> type | tuple[type, ...]:
    """What an output must be an instance of; ``object`` where that cannot be told cheaply (unions, Any, ...)."""
    while hasattr(output_type, "__metadata__"):
        output_type = typing.get_args(output_type)[0]
    if typing.is_typeddict(output_type):
        return dict
    if output_type is float:
        return (float, int)
    kind = typing.get_origin(output_type) or output_type
    return kind if isinstance(kind, type) and kind is not Any else object

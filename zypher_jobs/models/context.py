"""``context``: what a model may know and say of the predictions it runs, from inside ``predict``::

    from zypher_jobs.models import Model, context

    def predict(self, input: Text) -> Summary:
        context.progress(0.1, "tokenizing")
        for step in range(steps):
            context.check()  # ends here if nobody wants the answer any more
            ...
        context.log("used the long path")

It follows the code into the thread, task or child process that runs it. Outside of a prediction (in a test of the
class, in a script) it says and does nothing. For a batch, progress and log lines go to every prediction in it.
"""

from collections.abc import Sequence
from contextvars import ContextVar

from zypher_jobs.errors import PredictionCanceled
from zypher_jobs.models.call import Call, trace_of

_running: ContextVar[Sequence[Call]] = ContextVar("predictions that run here", default=())


def enter(calls: Sequence[Call]) -> None:
    """What runs in this thread or task from now on."""
    _running.set(calls)


class Context:
    """See the module. Every member may be used from any thread that runs ``predict``."""

    __slots__ = ()

    @property
    def prediction_id(self) -> str:
        """Of the prediction, the first one of a batch; empty outside."""
        calls = _running.get()
        return calls[0].prediction_id if calls else ""

    @property
    def prediction_ids(self) -> list[str]:
        """Of every prediction in the batch, in the order of its inputs."""
        return [call.prediction_id for call in _running.get()]

    @property
    def attempt(self) -> int:
        """The first attempt is 1."""
        calls = _running.get()
        return calls[0].attempt if calls else 1

    @property
    def traceparent(self) -> str:
        """Of the trace that the prediction is part of (of a batch: the first one that is part of any), to be sent on to
        other services; empty where nobody traces. See https://www.w3.org/TR/trace-context/."""
        trace = trace_of(_running.get())
        return "" if trace is None else trace.traceparent

    @property
    def tracestate(self) -> str:
        """What belongs to ``traceparent``, unchanged; mostly empty."""
        trace = trace_of(_running.get())
        return "" if trace is None else trace.tracestate

    @property
    def remaining_s(self) -> float:
        """Until the deadline of the prediction, the last one of a batch; infinite outside."""
        return max((call.remaining_s for call in _running.get()), default=float("inf"))

    @property
    def canceled(self) -> bool:
        """Whether nobody wants the output any more; of a batch: of none in it."""
        calls = _running.get()
        return bool(calls) and all(call.canceled for call in calls)

    def check(self) -> None:
        """Raise ``PredictionCanceled`` if nobody wants the output any more: for loops that run long."""
        if self.canceled:
            raise PredictionCanceled("The prediction was canceled.")

    def progress(self, fraction: float, message: str = "") -> None:
        """How far it is, 0 to 1 (clipped), and what it is doing; shown by status, events and the dashboard."""
        for call in _running.get():
            call.listener.progress(min(1.0, max(0.0, float(fraction))), str(message))

    def log(self, line: str) -> None:
        """One line for whoever watches the prediction."""
        for call in _running.get():
            call.listener.log(str(line))


context = Context()

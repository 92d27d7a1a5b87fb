"""Models that say in which trace they run."""

from tests.api.models import Anything
from zypher_jobs.models import Model, context


class Traced(Model[Anything, Anything]):
    """Says it."""

    def predict(self, input: Anything) -> Anything:
        """``traceparent``, and ``tracestate`` if there is one."""
        return Anything(text=f"{context.traceparent} {context.tracestate}".strip())


class TracedApart(Traced):
    """The same, in a process of its own."""

    isolation = "process"

"""In which trace a request is: that of the header ``traceparent``, where one was sent that can be read."""

from litestar.types import Scope

from zypher_jobs.contracts.trace import TraceContext, read_trace

Values = list[bytes]


def read_headers(traceparents: Values, tracestates: Values) -> TraceContext | None:
    """Two ``traceparent`` are none; several ``tracestate`` are one list."""
    if len(traceparents) != 1:
        return None
    return read_trace(traceparents[0].decode("latin-1"), b",".join(tracestates).decode("latin-1"))


def trace_of(scope: Scope) -> TraceContext | None:
    """As ``Watch`` left it."""
    return scope["state"].get("trace")

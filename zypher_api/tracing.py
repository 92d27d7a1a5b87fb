"""In which trace a request is: that of ``traceparent``, where one was sent that can be read; and its own span."""

from litestar.types import HTTPScope, Scope

from zypher_jobs.contracts.trace import TraceContext, read_trace
from zypher_jobs.tracing import Attributes, Span, Tracer

Values = list[bytes]


def read_headers(traceparents: Values, tracestates: Values) -> TraceContext | None:
    """Two ``traceparent`` are none; several ``tracestate`` are one list."""
    if len(traceparents) != 1:
        return None
    return read_trace(traceparents[0].decode("latin-1"), b",".join(tracestates).decode("latin-1"))


def trace_of(scope: Scope) -> TraceContext | None:
    """As ``Watch`` left it."""
    return scope["state"].get("trace")


def begin_span(tracer: Tracer, scope: HTTPScope) -> Span:
    """Of a request; what it does is in that span."""
    attributes: Attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
    span = tracer.span(scope["method"], kind="server", parent=trace_of(scope), attributes=attributes)
    scope["state"]["trace"] = span.trace
    return span


def end_span(span: Span, scope: HTTPScope, route: str, status: int) -> None:
    """Its answer is sent. Errors of the caller are none of the server's."""
    attributes: dict[str, str | int] = {"http.route": route, "http.response.status_code": status}
    attributes["zypher.request_id"] = scope["state"]["request_id"]
    if prediction_id := scope["state"].get("prediction_id"):
        attributes["zypher.prediction_id"] = prediction_id
    span.end(name=f"{scope['method']} {route}", error=str(status) if status >= 500 else "", attributes=attributes)

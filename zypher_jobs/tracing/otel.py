"""``OtelTracer``: spans by OpenTelemetry's SDK, sent as OTLP over HTTP. ``OTEL_*`` says where to, how many and how."""

import asyncio
import os
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from zypher_jobs import __version__
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.tracing import Attributes, Kind

FLUSH_S = 5.0
_MS = 1_000_000
_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class OtelTracer:
    """See ``Tracer``."""

    def __init__(self, *, part: str, process_id: str) -> None:
        facts = {"service.version": __version__, "service.instance.id": process_id, "zypher.part": part}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            facts["service.name"] = "zypher"
        self._provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("zypher", __version__)

    def span(
        self,
        name: str,
        *,
        parent: TraceContext | None,
        kind: Kind = "internal",
        attributes: Attributes | None = None,
        began_at_ms: int | None = None,
    ) -> "_Span":
        """See ``Tracer``."""
        context = None if parent is None else set_span_in_context(NonRecordingSpan(_context_of(parent)))
        start_time = None if began_at_ms is None else began_at_ms * _MS
        return _Span(
            self._tracer.start_span(
                name, context=context, kind=_KINDS[kind], attributes=attributes, start_time=start_time
            ),
            "" if parent is None else parent.tracestate,
        )

    async def aclose(self) -> None:
        """See ``Tracer``."""
        # a thread of its own, which nobody waits for at the exit: a collector that does not answer must not hold it
        flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_S)


class _Span:
    def __init__(self, span: OtelSpan, tracestate: str) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace = TraceContext(
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}", tracestate
        )

    def end(
        self, *, name: str = "", error: str = "", attributes: Attributes | None = None, ended_at_ms: int | None = None
    ) -> None:
        if name:
            self._span.update_name(name)
        if attributes:
            self._span.set_attributes(attributes)
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(None if ended_at_ms is None else ended_at_ms * _MS)


def _context_of(trace: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(trace.flags),
        trace_state=TraceState.from_header([trace.tracestate]),
    )

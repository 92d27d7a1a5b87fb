"""``tracer_of``: spans for OpenTelemetry, where that is configured; without it ``None``, and nothing of it is imported.

What makes spans asks one attribute whether there is a tracer. A trace that a caller sent goes on without one, too: see
``zypher_jobs.contracts.trace``.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal, Protocol

from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import SettingError
from zypher_jobs.settings import Settings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float]


class Span(Protocol):
    """What takes some time."""

    @property
    def trace(self) -> TraceContext:
        """Of what happens in it."""
        ...

    def end(
        self, *, name: str = "", error: str = "", attributes: Attributes | None = None, ended_at_ms: int | None = None
    ) -> None:
        """It is over, now unless it is said when; ``name``: its own, if that is known only now."""
        ...


class Tracer(Protocol):
    """Of one process. Spans are sent in batches, from a thread."""

    def span(
        self,
        name: str,
        *,
        parent: TraceContext | None,
        kind: Kind = "internal",
        attributes: Attributes | None = None,
        began_at_ms: int | None = None,
    ) -> Span:
        """One that begins now, or at that time; without a parent it begins a trace."""
        ...

    async def aclose(self) -> None:
        """Send what is left, for a few seconds at most."""
        ...


def is_wanted(settings: Settings) -> bool:
    """Whether spans are to be sent. Raises ``SettingError`` where they are, and cannot be."""
    if settings.otel == "off" or (settings.otel == "auto" and not any(os.environ.get(each) for each in ENDPOINTS)):
        return False
    why = "ZYPHER_OTEL=on" if settings.otel == "on" else next(each for each in ENDPOINTS if os.environ.get(each))
    for name in PROTOCOLS:
        if os.environ.get(name, PROTOCOL) not in ("", PROTOCOL):
            raise SettingError(f"{name}={os.environ[name]}: traces are sent as {PROTOCOL} only; set it to that.")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise SettingError(
            f"{why} asks for traces, but OpenTelemetry is not installed: pip install 'zypher[otel]', "
            "or set ZYPHER_OTEL=off."
        )
    return True


def tracer_of(settings: Settings, *, part: str, process_id: str) -> Tracer | None:
    """The tracer of this process, if one is wanted; raises ``SettingError``."""
    if not is_wanted(settings):
        return None
    from zypher_jobs.tracing.otel import OtelTracer  # noqa: PLC0415 needs the otel extra

    return OtelTracer(part=part, process_id=process_id)

"""``Watch``: the one middleware. Gives each request an id, counts it, and logs one line for it.

It stands around the whole application and not in Litestar's stack, which a request that no route matches never enters:
404 and 405 count like all others. All of it together costs 7 µs a request.
"""

import asyncio
import os
import re
from collections.abc import Iterable
from itertools import count
from time import monotonic, perf_counter
from typing import Any
from urllib.parse import quote

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from zypher_api.corked import write_whole
from zypher_api.gate import Gate
from zypher_api.meter import HttpMeter
from zypher_api.permits import Account
from zypher_api.problems import SHUTTING_DOWN, NotReady, respond
from zypher_api.request_log import RequestLog
from zypher_api.responses import WHOLE, Header, RawResponse
from zypher_api.tracing import begin_span, end_span, read_headers
from zypher_jobs.errors import ZypherError
from zypher_jobs.tracing import Tracer

Headers = list[Header]
NO_ROUTE = "(none)"
CLIENT_CLOSED = 499
"""Status in log and metrics of a request whose caller went away before an answer (nginx's number)."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READ = frozenset({b"request-id", b"x-request-id", b"traceparent"})
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_PLAIN_PATH = re.compile(rb"[!-~]{0,2048}")


class Watch:
    """An ASGI application around another one."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        gate: Gate,
        meter: HttpMeter,
        log: RequestLog,
        routes: list[str],
        tracer: Tracer | None = None,
    ) -> None:
        """``routes`` are templates such as ``/predict/{id}``: they name the route of a 405."""
        self._app = app
        self._gate = gate
        self._meter = meter
        self._log = log
        self._tracer = tracer
        self._routes = [(re.compile(re.sub(r"\\{[^/]*\\}", "[^/]+", re.escape(route))), route) for route in routes]
        self._new_id = (b"%s%08x" % (_PROCESS, number) for number in count(1)).__next__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is no HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._gate.begin()
        started_s = perf_counter()
        state: dict[str, Any] = scope["state"]
        answering = _Answering(state, self._read(scope), send)
        state["has_answered"] = False
        span = None if self._tracer is None else begin_span(self._tracer, scope)
        running = self._meter.running_cell
        running[0] += 1
        try:
            await self._app(scope, receive, answering.send)
        except asyncio.CancelledError:
            # only the end of the grace period cancels a request: even then its caller is told
            if answering.status != CLIENT_CLOSED:
                raise
            await respond(scope, NotReady(SHUTTING_DOWN))(scope, receive, answering.send)
        finally:
            running[0] -= 1
            state.pop(WHOLE, None)  # it leads back to the state: only the collector would free each request
            self._note(scope, answering.status, perf_counter() - started_s)
            if span is not None:
                end_span(span, scope, self._route_of(scope["path"]), answering.status)

    def refuse(self, scope: HTTPScope, error: ZypherError) -> RawResponse:
        """The answer to a request that goes no further; counted and logged like all others."""
        echo = self._read(scope)
        answer = respond(scope, error)
        answer.headers += echo
        self._note(scope, answer.status, 0.0)
        return answer

    def _note(self, scope: HTTPScope, status: int, duration_s: float) -> None:
        method, state = scope["method"], scope["state"]
        route: str = scope.get("path_template") or self._route_of(scope["path"])  # pyright: ignore[reportUnknownMemberType]
        self._meter.count(method if method in _METHODS else "other", route, status, duration_s)
        trace, caller = state.get("trace"), state.get("caller")
        self._log.add(
            request_id=state["request_id"],
            method=method,
            path=_shown_path(scope),
            route=route,
            status=status,
            duration_s=duration_s,
            prediction_id=state.get("prediction_id", ""),
            trace_id="" if trace is None else trace.trace_id,
            key="" if caller is None or not caller.key_id else caller.name,
        )

    def _read(self, scope: HTTPScope) -> Headers:
        """The caller's id if it sent a sane one, else a new one, and its trace; the headers that tell the id."""
        request_id, name_sent = b"", b""
        traceparents: list[bytes] = []
        for name, value in scope["headers"]:
            if name in _READ:
                if name == b"traceparent":
                    traceparents.append(value)
                elif not request_id and _SANE_ID.fullmatch(value):
                    request_id, name_sent = value, name
        request_id = request_id or self._new_id()
        state: dict[str, Any] = scope["state"]
        state["request_id"] = request_id.decode("ascii")
        if traceparents:
            state["trace"] = read_headers(traceparents, [v for name, v in scope["headers"] if name == b"tracestate"])
        own = [(b"request-id", request_id)]
        return [*own, (name_sent, request_id)] if name_sent == b"x-request-id" else own

    def _route_of(self, path: str) -> str:
        return next((route for pattern, route in self._routes if pattern.fullmatch(path)), NO_ROUTE)


class _Answering:
    """The answer to one request: what is added to its head, and its status once that is sent."""

    __slots__ = ("_cycle", "_echo", "_send", "_state", "status")

    def __init__(self, state: dict[str, Any], echo: Headers, send: Send) -> None:
        self.status = CLIENT_CLOSED
        self._state = state
        self._echo = echo
        self._send = send
        cycle = getattr(send, "__self__", None)
        if type(cycle) is RequestResponseCycle:
            self._cycle = cycle
            state[WHOLE] = self.whole

    async def send(self, message: Message) -> None:
        """As ASGI has it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._state["has_answered"] = True
            message["headers"] = self._with_own(message["headers"])
        await self._send(message)

    def whole(self, answer: RawResponse) -> bool:
        """See ``responses.Whole``."""
        if not write_whole(self._cycle, answer.status, self._with_own(answer.headers), answer.body):
            return False
        self.status = answer.status
        self._state["has_answered"] = True
        return True

    def _with_own(self, headers: Iterable[Header]) -> Headers:
        limits: Account | None = self._state.get("limits")
        if limits is None:
            return [*headers, *self._echo]
        return [*headers, *self._echo, *limits.standing(monotonic())]


_PROCESS = os.urandom(6).hex().encode()


def _shown_path(scope: Scope) -> str:
    raw = scope["raw_path"]
    return raw.decode("ascii") if _PLAIN_PATH.fullmatch(raw) else quote(raw[:2048])

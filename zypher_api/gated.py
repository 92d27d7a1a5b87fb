"""``GatedProtocol``: uvicorn's HTTP behind the ``Gate``. What the process cannot do is refused before it costs a task.

Only predictions are: whoever looks after the server must see it when it has too much to do. A refusal is a problem
document like any other, counted and in the request log, for a fifth of the price of an answer.
"""

import asyncio
from typing import Any, cast

import httptools
from litestar.types import HTTPScope

from zypher_api.corked import CorkedProtocol
from zypher_api.gate import Gate
from zypher_api.watch import Watch
from zypher_jobs.errors import Overloaded

_PREDICTS = (b"/predict", b"/infer", b"/generate", b"/generate_stream")


class _Refused:
    """Stands where a request's cycle would: it has been answered, its body is of no interest."""

    response_complete = True
    message_event = asyncio.Event()


class GatedProtocol(CorkedProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, gate: Gate, watch: Watch, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._gate = gate
        self._watch = watch

    def on_headers_complete(self) -> None:
        """Go on as uvicorn does, or refuse."""
        if self._gate.waiting >= self._gate.usual and self._may_be_refused() and not self._gate.lets_in():
            self._refuse()
        else:
            super().on_headers_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._gate.read()
        super()._start_asgi_task(cycle, app)

    def _may_be_refused(self) -> bool:
        """Whether it is a prediction, and no other request of this connection is under way."""
        cycle, parser = cast("Any", self.cycle), cast("Any", self.parser)
        if cycle is not None and not cycle.response_complete:
            return False
        return parser.get_method() == b"POST" and self.url.partition(b"?")[0].endswith(_PREDICTS)

    def _refuse(self) -> None:
        raw_path: bytes = httptools.parse_url(self.url).path
        scope = cast(
            "HTTPScope", {**self.scope, "method": "POST", "path": raw_path.decode("latin-1"), "raw_path": raw_path}
        )
        answer = self._watch.refuse(scope, Overloaded("This server", retry_after_s=self._gate.retry_after_s))
        # who waits for a 100 may never send the body: what comes next could be anything
        stays = cast("Any", self.parser).should_keep_alive() and not self.expect_100_continue
        head = [b"HTTP/1.1 503 Service Unavailable\r\n"]
        head += [b"%b: %b\r\n" % header for header in answer.headers]
        head += [] if stays else [b"connection: close\r\n"]
        self.transport.write(b"".join([*head, b"\r\n", answer.body]))
        self.cycle = cast("Any", _Refused)
        if stays:
            self.on_response_complete()
        else:
            self.transport.close()

"""``Client``: calls that block."""

import builtins
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self
from uuid import uuid4

import httpx

from zypher_api.client import calls, following, many, requests
from zypher_api.client.calls import OnProgress
from zypher_api.client.event_parser import Event
from zypher_api.client.line import answer_of, built, is_stream, options
from zypher_api.client.messages import Answer, Doing, Give, Open, OutputT, Pause, Read, Request, Send, Step, Steps, T
from zypher_api.client.patience import Retries
from zypher_api.client.requests import PREDICT_TIMEOUT_S
from zypher_jobs import __version__
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Priority, Status


class Client:
    """Calls the API at ``base_url`` (else ``ZYPHER_URL``, else on this machine) with ``api_key`` (``ZYPHER_API_KEY``).

    Several threads may share one. ``transport`` is httpx's, for certificates and proxies of one's own. What is raised
    is a ``ZypherError``; ``zypher_api.client.errors`` draws them all.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries or Retries()
        headers = requests.default_headers(api_key, __version__)
        self._http = httpx.Client(transport=transport, **options(requests.base_url(base_url), headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def predict(
        self,
        input: Any,
        *,
        model: str | None = None,
        version: str | None = None,
        output_type: type[OutputT] | None = None,
        timeout_s: float = PREDICT_TIMEOUT_S,
        idempotency_key: str | None = None,
    ) -> OutputT:
        """The output for ``input``: what the model takes, as JSON values, msgspec Structs or dataclasses.

        Without ``model`` the server's default one is asked. With ``output_type`` the output is checked and made one.
        After ``timeout_s`` without an answer it is given up: ``WaitTimeout``. Where the connection breaks it is asked
        again only with an ``idempotency_key``, for which the server needs its Redis.
        """
        request = requests.predict(
            input, model=model, version=version, timeout_s=timeout_s, idempotency_key=idempotency_key
        )
        return self._run(calls.predict(request, self._retries, output_type))

    def stream(self, input: Any, *, model: str | None = None, version: str | None = None) -> Iterator[Any]:
        """The output in pieces, each as soon as the model has it; of a model that does not stream, one.

        Whoever leaves it before its end cancels the prediction. Raises ``StreamBroken`` where the connection breaks.
        """
        request = requests.stream(input, model=model, version=version)
        return self._give(following.stream(request, self._retries))

    def submit(
        self,
        input: Any,
        *,
        model: str | None = None,
        version: str | None = None,
        output_type: type[OutputT] | None = None,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> "Handle[OutputT]":
        """Queue a prediction. It runs whatever becomes of this process, and ``handle`` finds it again by its id."""
        request = requests.submit(
            input,
            model=model,
            version=version,
            webhook_url=webhook_url,
            webhook_events=webhook_events,
            idempotency_key=idempotency_key,
        )
        return self.handle(self._run(calls.submit(request, self._retries)), output_type=output_type)

    def submit_many(
        self,
        inputs: Iterable[Any],
        *,
        model: str | None = None,
        version: str | None = None,
        output_type: type[OutputT] | None = None,
        priority: Priority | str | None = None,
        deadline_at: datetime | None = None,
        timeout_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> "builtins.list[Handle[OutputT]]":
        """Queue many predictions, in as few calls as there can be: their handles, in the order of ``inputs``.

        Each has the ``priority`` (``high``, ``normal``, ``low``), is not begun after ``deadline_at``, and one attempt
        runs no longer than ``timeout_s``. What a full queue has no room for is tried again, as any call is. Where not
        all could be queued it raises ``SomeRefused``, which has the ids of those that were.
        """
        items = requests.items(
            inputs, model=model, version=version, priority=priority, deadline_at=deadline_at, timeout_s=timeout_s
        )
        ids = self._run(many.submit(items, self._retries, idempotency_key=idempotency_key or uuid4().hex))
        return [self.handle(each, output_type=output_type) for each in ids]

    def handle(self, prediction_id: str, *, output_type: type[OutputT] | None = None) -> "Handle[OutputT]":
        """One that was submitted before; nothing is sent."""
        return Handle(self, prediction_id, output_type)

    def get(self, prediction_id: str) -> Prediction:
        """All that is known of a prediction."""
        return self._run(calls.read(prediction_id, self._retries))

    def list(self, *, status: Status | str | None = None, model: str | None = None) -> Iterator[PredictionSummary]:
        """The predictions that may be seen, newest first; read page by page, as far as somebody looks."""
        return self._give(calls.pages(status=status, model=model, retries=self._retries))

    def wait(
        self,
        prediction_id: str,
        *,
        output_type: type[OutputT] | None = None,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> OutputT:
        """See ``Handle.wait``."""
        return self._run(
            calls.wait(prediction_id, self._retries, output_type, timeout_s=timeout_s, on_progress=on_progress)
        )

    def cancel(self, prediction_id: str) -> Prediction:
        """See ``Handle.cancel``."""
        return self._run(calls.cancel(prediction_id, self._retries))

    def events(self, prediction_id: str, *, after: str = "") -> Iterator[Event]:
        """See ``Handle.events``."""
        return self._give(following.events(prediction_id, self._retries, after=after))

    def pieces(self, prediction_id: str) -> Iterator[Any]:
        """See ``Handle.stream``."""
        return self._give(following.pieces(prediction_id, self._retries))

    def _run(self, steps: Steps[T]) -> T:
        """What they return."""
        doing, line = Doing(steps), _Line(self._http)
        while doing.step is not None:
            doing.go_on(line.do(doing.step))
        return doing.result

    def _give(self, steps: Steps[None]) -> Iterator[Any]:
        """What they give."""
        line = _Line(self._http)
        try:
            doing = Doing(steps)
            while doing.step is not None:
                if isinstance(doing.step, Give):
                    yield doing.step.value
                    doing.go_on(None)
                else:
                    doing.go_on(line.do(doing.step))
        finally:
            line.close()


class Handle(Generic[OutputT]):
    """A prediction of the queue."""

    def __init__(self, client: Client, prediction_id: str, output_type: type[OutputT] | None) -> None:
        self.id = prediction_id
        self._client = client
        self._output_type = output_type

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def get(self) -> Prediction:
        """All that is known of it."""
        return self._client.get(self.id)

    def status(self) -> Status:
        """Where it stands."""
        return self.get().status

    def wait(self, *, timeout_s: float | None = None, on_progress: OnProgress | None = None) -> OutputT:
        """Its output, as soon as it has ended. A server that goes away meanwhile is waited for (``Retries.wait_s``).

        ``on_progress`` is called with the prediction whenever something about it has changed, once a second at most:
        its place in the queue, its progress. ``ProgressLine()`` shows that on a terminal.

        Raises ``PredictionFailed`` where it ended without an output, ``WaitTimeout`` where it had not ended within
        ``timeout_s``: it goes on.
        """
        return self._client.wait(self.id, output_type=self._output_type, timeout_s=timeout_s, on_progress=on_progress)

    def cancel(self) -> Prediction:
        """Cancel it. What comes back says how it stands: ``canceled``, or ``running`` while it is being stopped."""
        return self._client.cancel(self.id)

    def events(self, *, after: str = "") -> Iterator[Event]:
        """All that it says, from its beginning, or behind the event with the id ``after``, to its end.

        Each once, in order; where the connection breaks it is made again behind the last one.
        """
        return self._client.events(self.id, after=after)

    def stream(self) -> Iterator[Any]:
        """Its output in pieces; of a model that does not stream, one. Raises ``PredictionFailed``.

        ``StreamBroken`` says that its output began anew, in another attempt: ``wait()`` will have all of it.
        """
        return self._client.pieces(self.id)


class _Line:
    """Does one step after the other; at most one stream is open."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._opened: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def do(self, step: Step) -> Any:
        """What comes of it; an error of the line is a value here."""
        try:
            match step:
                case Send(request):
                    return answer_of(self._http.send(built(self._http, request)))
                case Open(request):
                    return self._open(request)
                case Read():
                    return next(self._pieces, b"")
                case Pause(seconds):
                    return time.sleep(seconds)
                case Give():
                    raise TypeError("what is given is given by who does the steps")
        except httpx.RequestError as error:
            return error

    def close(self) -> None:
        """End the stream."""
        if self._opened is not None:
            self._opened.close()

    def _open(self, request: Request) -> Answer:
        self.close()
        response = self._opened = self._http.send(built(self._http, request), stream=True)
        if is_stream(response):
            self._pieces = response.iter_bytes()
        else:
            response.read()
        return answer_of(response)

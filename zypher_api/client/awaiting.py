"""``AsyncClient``: the calls of ``Client``, to be awaited."""

import asyncio
import builtins
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self
from uuid import uuid4

import httpx

from zypher_api.client import calls, following, many, requests
from zypher_api.client.calls import OnProgress
from zypher_api.client.event_parser import Event
from zypher_api.client.line import answer_of, built, is_stream, options
from zypher_api.client.messages import (
    Answer,
    Doing,
    Give,
    Open,
    OutputT,
    Pause,
    Read,
    Request,
    Send,
    Step,
    Steps,
    T,
)
from zypher_api.client.patience import Retries
from zypher_api.client.requests import PREDICT_TIMEOUT_S
from zypher_jobs import __version__
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Priority, Status


class AsyncClient:
    """As ``Client``, for asyncio.

    Whoever leaves a stream before its end closes it: ``async with contextlib.aclosing(client.stream(…)) as pieces``.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries or Retries()
        headers = requests.default_headers(api_key, __version__)
        self._http = httpx.AsyncClient(transport=transport, **options(requests.base_url(base_url), headers))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def predict(
        self,
        input: Any,
        *,
        model: str | None = None,
        version: str | None = None,
        output_type: type[OutputT] | None = None,
        timeout_s: float = PREDICT_TIMEOUT_S,
        idempotency_key: str | None = None,
    ) -> OutputT:
        """See ``Client.predict``. To cancel the task cancels the prediction."""
        request = requests.predict(
            input, model=model, version=version, timeout_s=timeout_s, idempotency_key=idempotency_key
        )
        return await self._run(calls.predict(request, self._retries, output_type))

    def stream(self, input: Any, *, model: str | None = None, version: str | None = None) -> AsyncGenerator[Any]:
        """See ``Client.stream``."""
        request = requests.stream(input, model=model, version=version)
        return self._give(following.stream(request, self._retries))

    async def submit(
        self,
        input: Any,
        *,
        model: str | None = None,
        version: str | None = None,
        output_type: type[OutputT] | None = None,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> "AsyncHandle[OutputT]":
        """See ``Client.submit``."""
        request = requests.submit(
            input,
            model=model,
            version=version,
            webhook_url=webhook_url,
            webhook_events=webhook_events,
            idempotency_key=idempotency_key,
        )
        return self.handle(await self._run(calls.submit(request, self._retries)), output_type=output_type)

    async def submit_many(
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
    ) -> "builtins.list[AsyncHandle[OutputT]]":
        """See ``Client.submit_many``."""
        items = requests.items(
            inputs, model=model, version=version, priority=priority, deadline_at=deadline_at, timeout_s=timeout_s
        )
        ids = await self._run(many.submit(items, self._retries, idempotency_key=idempotency_key or uuid4().hex))
        return [self.handle(each, output_type=output_type) for each in ids]

    def handle(self, prediction_id: str, *, output_type: type[OutputT] | None = None) -> "AsyncHandle[OutputT]":
        """See ``Client.handle``."""
        return AsyncHandle(self, prediction_id, output_type)

    async def get(self, prediction_id: str) -> Prediction:
        """See ``Client.get``."""
        return await self._run(calls.read(prediction_id, self._retries))

    def list(
        self, *, status: Status | str | None = None, model: str | None = None
    ) -> AsyncGenerator[PredictionSummary]:
        """See ``Client.list``."""
        return self._give(calls.pages(status=status, model=model, retries=self._retries))

    async def wait(
        self,
        prediction_id: str,
        *,
        output_type: type[OutputT] | None = None,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> OutputT:
        """See ``Handle.wait``."""
        return await self._run(
            calls.wait(prediction_id, self._retries, output_type, timeout_s=timeout_s, on_progress=on_progress)
        )

    async def cancel(self, prediction_id: str) -> Prediction:
        """See ``Handle.cancel``."""
        return await self._run(calls.cancel(prediction_id, self._retries))

    def events(self, prediction_id: str, *, after: str = "") -> AsyncGenerator[Event]:
        """See ``Handle.events``."""
        return self._give(following.events(prediction_id, self._retries, after=after))

    def pieces(self, prediction_id: str) -> AsyncGenerator[Any]:
        """See ``Handle.stream``."""
        return self._give(following.pieces(prediction_id, self._retries))

    async def _run(self, steps: Steps[T]) -> T:
        """What they return."""
        doing, line = Doing(steps), _Line(self._http)
        while doing.step is not None:
            doing.go_on(await line.do(doing.step))
        return doing.result

    async def _give(self, steps: Steps[None]) -> AsyncGenerator[Any]:
        """What they give."""
        line = _Line(self._http)
        try:
            doing = Doing(steps)
            while doing.step is not None:
                if isinstance(doing.step, Give):
                    yield doing.step.value
                    doing.go_on(None)
                else:
                    doing.go_on(await line.do(doing.step))
        finally:
            await line.close()


class AsyncHandle(Generic[OutputT]):
    """A prediction of the queue: ``Handle``, to be awaited."""

    def __init__(self, client: AsyncClient, prediction_id: str, output_type: type[OutputT] | None) -> None:
        self.id = prediction_id
        self._client = client
        self._output_type = output_type

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def get(self) -> Prediction:
        """See ``Handle.get``."""
        return await self._client.get(self.id)

    async def status(self) -> Status:
        """See ``Handle.status``."""
        return (await self.get()).status

    async def wait(self, *, timeout_s: float | None = None, on_progress: OnProgress | None = None) -> OutputT:
        """See ``Handle.wait``. To cancel the task ends the wait, and not the prediction."""
        return await self._client.wait(
            self.id, output_type=self._output_type, timeout_s=timeout_s, on_progress=on_progress
        )

    async def cancel(self) -> Prediction:
        """See ``Handle.cancel``."""
        return await self._client.cancel(self.id)

    def events(self, *, after: str = "") -> AsyncGenerator[Event]:
        """See ``Handle.events``."""
        return self._client.events(self.id, after=after)

    def stream(self) -> AsyncGenerator[Any]:
        """See ``Handle.stream``."""
        return self._client.pieces(self.id)


class _Line:
    """Does one step after the other; at most one stream is open."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._opened: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def do(self, step: Step) -> Any:
        """What comes of it; an error of the line is a value here."""
        try:
            match step:
                case Send(request):
                    return answer_of(await self._http.send(built(self._http, request)))
                case Open(request):
                    return await self._open(request)
                case Read():
                    assert self._pieces is not None
                    return await anext(self._pieces, b"")
                case Pause(seconds):
                    return await asyncio.sleep(seconds)
                case Give():
                    raise TypeError("what is given is given by who does the steps")
        except httpx.RequestError as error:
            return error

    async def close(self) -> None:
        """End the stream."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _open(self, request: Request) -> Answer:
        await self.close()
        response = self._opened = await self._http.send(built(self._http, request), stream=True)
        if is_stream(response):
            self._pieces = response.aiter_bytes()
        else:
            await response.aread()
        return answer_of(response)

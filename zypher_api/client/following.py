"""What a prediction says while it runs: its events, over as many connections as it takes, and its output in pieces."""

from collections import deque
from typing import Any

import httpx

from zypher_api.answers import End
from zypher_api.client import requests
from zypher_api.client.answers import converted, output_of
from zypher_api.client.errors import StreamBroken
from zypher_api.client.event_parser import Event, EventParser
from zypher_api.client.messages import Give, Open, Pause, Request, Steps, read
from zypher_api.client.patience import NOT_SENT, Patience, Retries, answered, unreachable

RECONNECT_S = 1.0
"""After a stream that ended before its prediction: its process drains, and another takes over."""


def events(prediction_id: str, retries: Retries, *, after: str) -> Steps[None]:
    """All events of a prediction of the queue, or those behind ``after``; each once, whatever breaks in between."""
    following = _Following(prediction_id, retries, after=after)
    while (event := (yield from following.next())) is not None:
        yield Give(event)


def pieces(prediction_id: str, retries: Retries) -> Steps[None]:
    """The output of a prediction of the queue, piece by piece."""
    following = _Following(prediction_id, retries)
    whole = _Pieces()
    while (event := (yield from following.next())) is not None:
        for piece in whole.add(event, prediction_id):
            yield Give(piece)


def stream(request: Request, retries: Retries) -> Steps[None]:
    """The same of a synchronous prediction, which ends with its connection."""
    answer = yield from answered(request, Patience(retries, retries.call_s), step=Open, again=NOT_SENT)
    parser, whole = EventParser(), _Pieces()
    try:
        while piece := (yield from read()):
            for event in parser.feed(piece):
                for each in whole.add(event, answer.headers.get("prediction-id")):
                    yield Give(each)
                if event.kind == "end":
                    return
    except httpx.RequestError as error:
        raise StreamBroken(f"The stream broke before its end. {unreachable(error)}") from error
    raise StreamBroken("The stream ended before its prediction: its server was stopped.")


class _Following:
    """The events of one prediction; the stream is opened again behind the last one wherever it breaks."""

    def __init__(self, prediction_id: str, retries: Retries, *, after: str = "") -> None:
        self._prediction_id = prediction_id
        self._patience = Patience(retries, retries.wait_s)
        self._after = after
        self._parser: EventParser | None = None
        self._come: deque[Event] = deque()
        self._stands: Any = None
        self._has_ended = False

    def next(self) -> Steps[Event | None]:
        """The next one; ``None`` behind the end."""
        while not self._come:
            if self._has_ended:
                return None
            if self._parser is None:
                yield from self._open()
            else:
                yield from self._read(self._parser)
        event = self._come.popleft()
        self._after = event.id or self._after
        self._has_ended = event.kind == "end"
        return event

    def _open(self) -> Steps[None]:
        request = requests.events(self._prediction_id, after=self._after)
        answer = yield from answered(request, self._patience, step=Open)
        self._has_ended = answer.status == 204  # the caller had read the end before
        self._parser = EventParser()

    def _read(self, parser: EventParser) -> Steps[None]:
        try:
            piece = yield from read()
        except httpx.RequestError as error:
            self._parser = None
            yield self._patience.pause(error)
            return
        if not piece:
            self._parser = None
            yield Pause(RECONNECT_S)
            return
        self._patience.answered()
        for event in parser.feed(piece):
            if event.kind == "status":
                if event.data == self._stands:
                    continue  # every connection begins with it
                self._stands = event.data
            self._come.append(event)


class _Pieces:
    """Makes sure that the pieces which a caller gets are all of one output."""

    def __init__(self) -> None:
        self._attempt: int | None = None
        self._given = 0

    def add(self, event: Event, prediction_id: str | None) -> list[Any]:
        """Those of one event; raises ``PredictionFailed`` at an end without an output."""
        match event.kind:
            case "output":
                self._given += 1
                return [event.data]
            case "status" if event.data["status"] == "running":
                if self._given and event.data["attempt"] != self._attempt:
                    raise _broken("It was begun again, and so is its output", prediction_id)
                self._attempt = event.data["attempt"]
            case "gap":
                raise _broken(f"{event.data['missing']} events are kept no more", prediction_id)
            case "end":
                output = output_of(converted(event.data, End), None)
                if not self._given and output not in ("", []):  # of a model that does not stream, or long ago
                    return [output]
            case _:
                pass
        return []


def _broken(what: str, prediction_id: str | None) -> StreamBroken:
    return StreamBroken(f"{what}: events() tells all, wait() has the whole output.", prediction_id=prediction_id)

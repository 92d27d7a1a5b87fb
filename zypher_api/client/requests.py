"""What is asked → request."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import msgspec

from zypher_api.client.messages import Request
from zypher_jobs.contracts.prediction import Priority, Status

DEFAULT_URL = "http://127.0.0.1:8080"
PREDICT_TIMEOUT_S = 310.0
"""Longest wait for a synchronous prediction: longer than ``ZYPHER_RUN_TIMEOUT_S``, whose end is an answer too."""
READ_TIMEOUT_S = 30.0
"""Longest wait for an answer that is there at once."""
SILENCE_S = 45.0
"""Of an open stream: three heartbeats (``zypher_api.event_stream``) that did not come."""

_encode = msgspec.json.Encoder().encode
_EVENTS = {"Accept": "text/event-stream"}


def base_url(given: str | None) -> str:
    """What was given, else ``ZYPHER_URL``, else this machine; raises ``ValueError`` for what is no URL."""
    url = (given or os.environ.get("ZYPHER_URL") or DEFAULT_URL).strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url must be like {DEFAULT_URL}, not {url!r}.")
    return url


def default_headers(api_key: str | None, version: str) -> dict[str, str]:
    """Those of every request; the key is what was given, else ``ZYPHER_API_KEY``."""
    headers = {"User-Agent": f"zypher-client/{version}", "Accept": "application/json"}
    if key := (api_key or os.environ.get("ZYPHER_API_KEY") or "").strip():
        headers["Authorization"] = f"Bearer {key}"
    return headers


def predict(
    input: Any, *, model: str | None, version: str | None, timeout_s: float, idempotency_key: str | None
) -> Request:
    """The answer now. Without a key: one costs the server two scripts in Redis, and its answer would depend on them."""
    return Request(
        method="POST",
        path=_predict_path(model, version),
        headers=_posted(idempotency_key),
        body=_encode(input),
        timeout_s=timeout_s,
    )


def stream(input: Any, *, model: str | None, version: str | None) -> Request:
    """The answer now, in pieces. Not to be repeated once it has arrived: it would begin another prediction."""
    return Request(
        method="POST",
        path=_predict_path(model, version),
        headers=_posted(None) | _EVENTS,
        body=_encode(input),
        timeout_s=SILENCE_S,
    )


def submit(
    input: Any,
    *,
    model: str | None,
    version: str | None,
    webhook_url: str | None,
    webhook_events: Sequence[str],
    idempotency_key: str | None,
) -> Request:
    """The answer later."""
    headers = _posted(idempotency_key or uuid4().hex) | {"Prefer": "respond-async"}
    if webhook_url is not None:
        headers["Webhook-Url"] = webhook_url
    if webhook_events:
        headers["Webhook-Events"] = ", ".join(webhook_events)
    return Request(
        method="POST",
        path=_predict_path(model, version),
        headers=headers,
        body=_encode(input),
        timeout_s=READ_TIMEOUT_S,
    )


def items(
    inputs: Iterable[Any],
    *,
    model: str | None,
    version: str | None,
    priority: Priority | str | None,
    deadline_at: datetime | None,
    timeout_s: float | None,
) -> list[bytes]:
    """Each input as an item of a submit of many."""
    if isinstance(inputs, str | bytes | Mapping):
        raise TypeError("inputs must be a list of inputs; submit() takes one.")
    asked = {"model": model, "version": version, "priority": priority, "deadline_at": deadline_at}
    named = {name: value for name, value in (asked | {"timeout_s": timeout_s}).items() if value is not None}
    _check_version(model, version)
    return [_encode({"input": each, **named}) for each in inputs]


def submit_many(items: Sequence[bytes], *, idempotency_key: str) -> Request:
    """Their answers later; each is queued or says why not."""
    return Request(
        method="POST",
        path="/predictions",
        headers=_posted(idempotency_key),
        body=b"[" + b",".join(items) + b"]",
        timeout_s=READ_TIMEOUT_S,
    )


def read(prediction_id: str, *, hold_s: float = 0) -> Request:
    """A prediction as it stands; with ``hold_s`` as soon as it has ended, or after so long."""
    query = f"?wait={hold_s:.3f}" if hold_s > 0 else ""
    return Request(method="GET", path=_path_of(prediction_id) + query, timeout_s=READ_TIMEOUT_S + hold_s)


def cancel(prediction_id: str) -> Request:
    """Nobody wants it any more."""
    return Request(method="DELETE", path=_path_of(prediction_id), timeout_s=READ_TIMEOUT_S)


def events(prediction_id: str, *, after: str) -> Request:
    """All that it says, or what it said after an event."""
    headers = _EVENTS | ({"Last-Event-ID": after} if after else {})
    return Request(method="GET", path=f"{_path_of(prediction_id)}/events", headers=headers, timeout_s=SILENCE_S)


def page(*, status: Status | str | None, model: str | None, before: str | None, limit: int) -> Request:
    """Some predictions, newest first."""
    asked = {"status": status, "model": model, "before": before, "limit": str(limit)}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return Request(method="GET", path=f"/predictions?{query}", timeout_s=READ_TIMEOUT_S)


def _posted(idempotency_key: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    return headers | ({"Idempotency-Key": f'"{idempotency_key}"'} if idempotency_key else {})


def _predict_path(model: str | None, version: str | None) -> str:
    _check_version(model, version)
    if model is None:
        return "/predict"
    if version is None:
        return f"/models/{quote(model, safe='')}/predict"
    return f"/models/{quote(model, safe='')}/versions/{quote(version, safe='')}/predict"


def _check_version(model: str | None, version: str | None) -> None:
    if model is None and version is not None:
        raise ValueError("version= needs model=: it is a version of that model.")


def _path_of(prediction_id: str) -> str:
    return f"/predict/{quote(prediction_id, safe='')}"

"""Bodies of a submit of many."""

from typing import Annotated

import msgspec
from msgspec import Meta

from zypher_api.answers import RECEIVED, Accepted
from zypher_jobs.contracts.operation import Instant
from zypher_jobs.contracts.prediction import Priority

MOST = 1_000
"""Predictions in one call."""


class Submit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One prediction to be queued."""

    input: msgspec.Raw
    """What `POST /models/{name}/predict` takes as its body."""
    model: Annotated[str, Meta(max_length=200)] | None = None
    """The default one, if none is named."""
    version: Annotated[str, Meta(max_length=200)] | None = None
    """The live one, if none is named."""
    priority: Priority = Priority.NORMAL
    deadline_at: Instant | None = None
    """RFC 3339; it is not begun after that."""
    timeout_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    """One attempt runs no longer."""


ToSubmit = Annotated[list[Submit], Meta(min_length=1, max_length=MOST)]


class ItemError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one was not queued: what a call for it alone would be told."""

    code: str
    detail: str
    field: str | None = None
    """A JSON path into the body."""


class SubmittedOne(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one: it is queued, or there is an error."""

    index: int
    """Its place in the body, from 0."""
    prediction: Accepted | None = None
    error: ItemError | None = None


class SubmittedMany(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each."""

    message: str = RECEIVED
    accepted: int
    refused: int
    items: list[SubmittedOne]
    """In the order of the body."""

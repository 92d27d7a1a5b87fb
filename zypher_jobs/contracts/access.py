"""Who may do what: scopes, rates, and API keys as people see them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class Scope(StrEnum):
    """What a key lets its holder do."""

    PREDICT = "predict"
    """Ask models; read and cancel what was asked with the same key."""
    READ = "read"
    """See everything: all predictions, queues, workers, figures."""
    OPERATE = "operate"
    """Act on everything: cancel, retry, replay, drop, pause, webhooks. Sees all that ``read`` sees."""
    DEPLOY = "deploy"
    """Deploy versions of models, and send traffic to them."""
    ADMIN = "admin"
    """All of it, and the keys themselves."""


NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@:/+-]{0,63}$"
RATE = r"^[1-9][0-9]{0,8}/([1-9][0-9]{0,4})?(s|min|h|d)$"
"""``100/s``, ``1000/min``, ``5/10s``."""

KeyName = Annotated[str, Meta(pattern=NAME, description="What people call it.", examples=["shop"])]
RateText = Annotated[
    str, Meta(pattern=RATE, description="So many in that time, such as 100/s, 1000/min or 5/10s.", examples=["100/s"])
]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key; what proves it is shown once, when it is made, and kept nowhere."""

    key_id: str
    """The part of the key behind ``zk_`` that is no secret."""
    name: KeyName
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    """It is refused from then on."""
    requests: RateText | None = None
    """Requests it may make, of all processes together."""
    predictions: RateText | None = None
    """Predictions it may ask for; a bulk request asks for many."""
    concurrent: int | None = None
    """Predictions of its that may wait and run at once."""


class NewApiKey(ApiKey, frozen=True, kw_only=True):
    """A key that was made just now."""

    token: str
    """The whole key, for ``Authorization: Bearer``. It cannot be read again."""


class ApiKeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: KeyName
    scopes: Annotated[list[Scope], Meta(min_length=1)] = msgspec.field(default_factory=lambda: [Scope.PREDICT])
    """``predict`` by default."""
    expires_in_s: Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)] | None = None
    """After so long it is refused; never by default."""
    requests: RateText | None = None
    predictions: RateText | None = None
    concurrent: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None

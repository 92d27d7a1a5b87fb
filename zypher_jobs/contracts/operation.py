"""What operators do: which predictions are meant, and what is written down of each operation."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from zypher_jobs.contracts.prediction import Priority, Status

FINGERPRINT = r"^[0-9a-f]{12}$"
PREDICTION_ID = r"^[A-Za-z0-9_-]{1,64}$"
MOST_IDS = 1_000
MOST_SEARCH_CHARS = 200

SearchText = Annotated[str, Meta(min_length=1, max_length=MOST_SEARCH_CHARS)]
Instant = Annotated[datetime, Meta(tz=True)]


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Predictions that fit all that is named."""

    status: Status | None = None
    model: Annotated[str, Meta(max_length=200)] | None = None
    priority: Priority | None = None
    """The queue that it waits or waited in."""
    fingerprint: Annotated[str, Meta(pattern=FINGERPRINT)] | None = None
    """Of its error: the same for failures of the same kind."""
    caller: Annotated[str, Meta(max_length=64)] | None = None
    """Id of the key that asked for it."""
    created_after: Instant | None = None
    """RFC 3339; at that instant or later."""
    created_before: Instant | None = None
    """RFC 3339; before that instant."""
    search: SearchText | None = None
    """What its id begins with, or what stands in the beginning of its input, in whatever case."""
    ids: (
        Annotated[list[Annotated[str, Meta(pattern=PREDICTION_ID)]], Meta(min_length=1, max_length=MOST_IDS)] | None
    ) = None
    """These only."""


CURSOR = r"^[0-9]{1,15}-[A-Za-z0-9_-]{1,64}$"
MOST_AT_ONCE = 5_000


class BulkRequest(Selection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which predictions are to be canceled, retried, replayed or dropped. A filter must be named, or `all`."""

    everything: bool = msgspec.field(default=False, name="all")
    """Without any filter: all of them."""
    dry_run: bool = False
    """Only count them."""
    once: bool = False
    """Replay only those that nobody replayed before; dead letters that a filter finds are replayed once anyway."""
    limit: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = 1_000
    """How many at most in this call; a `dry_run` counts on."""
    before: Annotated[str, Meta(pattern=CURSOR)] | None = None
    """Go on behind that place: the `next` of the call before."""

    @property
    def selection(self) -> Selection:
        """The filter alone."""
        return Selection(**{name: getattr(self, name) for name in Selection.__struct_fields__})


class Action(StrEnum):
    """What was done."""

    CANCEL = "prediction.cancel"
    RETRY = "prediction.retry"
    REPLAY = "prediction.replay"
    DROP = "prediction.drop"
    CANCEL_MANY = "predictions.cancel"
    RETRY_MANY = "predictions.retry"
    REPLAY_MANY = "predictions.replay"
    DROP_MANY = "predictions.drop"
    PAUSE = "queue.pause"
    RESUME = "queue.resume"
    UPLOAD = "model.upload"
    SET_LIVE = "model.live"
    ROLL_BACK = "model.rollback"
    DELETE_VERSION = "model.delete_version"
    DELETE_MODEL = "model.delete"
    LOAD = "model.load"
    UNLOAD = "model.unload"
    REGISTER_WEBHOOK = "webhook.register"
    CHANGE_WEBHOOK = "webhook.change"
    DELETE_WEBHOOK = "webhook.delete"
    ROTATE_SECRET = "webhook.rotate_secret"  # noqa: S105  # no secret
    REDELIVER = "webhook.redeliver"
    CREATE_KEY = "key.create"
    REVOKE_KEY = "key.revoke"


class Operated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation, as it is written down."""

    action: Action
    caller: str
    """The name of the key; `anonymous` where none is wanted."""
    key_id: str = ""
    """The id of the key; empty: there was none."""
    target: str = ""
    """What was acted on: an id or a name; empty for what a filter chose."""
    filter: Selection | None = None
    """What chose them, when they were many."""
    count: int = 1
    """How many were changed."""
    detail: str = ""
    """What else there is to know."""
    request_id: str = ""
    """As in the header `Request-Id` and the log line of the request."""


class AuditEntry(Operated, frozen=True, kw_only=True, omit_defaults=False):
    """One operation that was done."""

    entry_id: str
    at: datetime

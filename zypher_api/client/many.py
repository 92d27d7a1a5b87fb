"""Many predictions submitted as one: in as few calls as the server takes, and once more what had no room yet."""

from collections.abc import Iterator, Sequence

from zypher_api.client import requests
from zypher_api.client.answers import decoded, retry_after_s
from zypher_api.client.errors import Invalid, NotFound, RateLimited, Refused, SomeRefused, Unavailable, ZypherError
from zypher_api.client.messages import Steps
from zypher_api.client.patience import Patience, Retries, answered
from zypher_api.submit_many import MOST, ItemError, SubmittedMany

MOST_BYTES = 1_000_000
"""In one call: fewer than ``ZYPHER_MAX_BODY_BYTES``, unless that was made smaller."""

_KINDS: dict[str, tuple[type[Refused], int]] = {
    "unknown_model": (NotFound, 404),
    "unknown_version": (NotFound, 404),
    "queue_full": (RateLimited, 429),
    "model_not_ready": (Unavailable, 503),
}
"""What a call for it alone would raise; any other code says that something is wrong with what was sent."""


class _Submitting:
    """What became of each so far."""

    def __init__(self, items: Sequence[bytes], retries: Retries, idempotency_key: str) -> None:
        self.ids: list[str | None] = [None] * len(items)
        self.errors: dict[int, ZypherError] = {}
        self._items = items
        self._retries = retries
        self._key = idempotency_key

    def calls(self) -> Steps[None]:
        """All of them. What ends one ends those behind it, too: they would meet the same."""
        for number, places in enumerate(_split(self._items)):
            try:
                yield from self._call(places, f"{self._key}-{number}")
            except ZypherError as error:
                if not self.errors and not any(self.ids):
                    raise
                left = [at for at in range(places[0], len(self.ids)) if self.ids[at] is None]
                self.errors = dict.fromkeys(left, error) | self.errors
                return

    def _call(self, places: Sequence[int], key: str) -> Steps[None]:
        """Some of them, until each is queued or there is something wrong with it; raises what says "not now" too long.

        Each try has a key of its own, which is the same whenever the same inputs are submitted under the same key.
        """
        room, tries = Patience(self._retries, self._retries.call_s), 0
        while places:
            request = requests.submit_many([self._items[at] for at in places], idempotency_key=f"{key}-{tries}")
            answer = yield from answered(request, Patience(self._retries, self._retries.call_s))
            told: SubmittedMany = decoded(answer.body, SubmittedMany)
            if told.accepted:
                room.answered()
            waits: dict[int, RateLimited | Unavailable] = {}
            for item in told.items:
                at = places[item.index]
                if item.prediction is not None:
                    self.ids[at] = item.prediction.prediction_id
                elif item.error is not None:
                    error = _error_of(item.error, item.index, retry_after_s(answer.headers))
                    if isinstance(error, RateLimited | Unavailable):
                        waits[at] = error
                    else:
                        self.errors[at] = error
            if waits:
                yield room.pause(next(iter(waits.values())))
            places, tries = list(waits), tries + 1


def submit(items: Sequence[bytes], retries: Retries, *, idempotency_key: str) -> Steps[list[str]]:
    """The id of each, now; raises ``SomeRefused`` where not all were queued."""
    submitting = _Submitting(items, retries, idempotency_key)
    yield from submitting.calls()
    if submitting.errors:
        raise SomeRefused(submitting.ids, dict(sorted(submitting.errors.items())))
    return [each for each in submitting.ids if each is not None]


def _split(items: Sequence[bytes]) -> Iterator[Sequence[int]]:
    """The places of those that go in one call."""
    places: list[int] = []
    size = 0
    for at, item in enumerate(items):
        if places and (len(places) == MOST or size + len(item) > MOST_BYTES):
            yield places
            places, size = [], 0
        places.append(at)
        size += len(item) + 1
    if places:
        yield places


def _error_of(error: ItemError, index: int, retry_after: float | None) -> Refused:
    """As a call for it alone would raise it, with the path into its own input."""
    kind, status = _KINDS.get(error.code, (Invalid, 422))
    field = None
    if error.field is not None:
        inside = error.field.removeprefix(f"$[{index}].")
        field = f"${inside.removeprefix('input')}" if inside.startswith("input") else inside
    waits = retry_after if issubclass(kind, RateLimited | Unavailable) else None
    return kind(error.detail, code=error.code, status=status, field=field, retry_after_s=waits)

"""How often a call is tried, and how long it waits in between."""

import logging
import math
import random
import time

import httpx
import msgspec

from zypher_api.client.answers import check
from zypher_api.client.errors import RateLimited, Unavailable, Unreachable
from zypher_api.client.messages import Answer, Open, Pause, Request, Send, Steps

log = logging.getLogger("zypher.client")

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The server has seen nothing of the request."""
BROKEN = (*NOT_SENT, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
"""It may have seen it; what is sent again must be safe to be done twice, or carry an ``Idempotency-Key``."""
PASSING = (*BROKEN, httpx.TimeoutException)
"""What may be over at the next try."""


OUTSTANDING = "request_outstanding"
"""What the server says to a try whose ``Idempotency-Key`` belongs to one that it has not answered yet."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How long a server is borne that is away, or that says: not now (429 and 503)."""

    call_s: float = 10.0
    """By one call, from its first failure on; 0: it is tried once."""
    wait_s: float = 300.0
    """By a wait or a stream of events, each time from the first failure on."""
    first_pause_s: float = 0.1
    most_pause_s: float = 5.0
    """Pauses grow from the one to the other. ``Retry-After`` counts where it is longer."""


class Patience:
    """Of one call. ``until_s``, of the monotonic clock, is the end of the caller's time."""

    def __init__(self, retries: Retries, for_s: float, *, until_s: float = math.inf) -> None:
        self._retries = retries
        self._for_s = for_s
        self._until_s = until_s
        self._failures = 0
        self._since_s = 0.0

    def answered(self) -> None:
        """The server is there."""
        self._failures = 0

    def pause(self, error: httpx.RequestError | RateLimited | Unavailable) -> Pause:
        """The one before the next try; raises the error, or ``Unreachable`` from it, when there is to be none."""
        now_s = time.monotonic()
        if not self._failures or _is_outstanding(error):
            self._since_s = now_s
        wanted_s = self._next_s(error)
        left_s = self._until_s - now_s
        if now_s + wanted_s > self._since_s + self._for_s or left_s <= 0:
            raise error if not isinstance(error, httpx.RequestError) else unreachable(error) from error
        self._failures += 1
        log.info("tried again in %.1f s: %s", min(wanted_s, left_s), error)
        return Pause(min(wanted_s, left_s))

    def _next_s(self, error: httpx.RequestError | RateLimited | Unavailable) -> float:
        pause_s = min(self._retries.most_pause_s, self._retries.first_pause_s * 2.0 ** min(self._failures, 32))
        pause_s *= random.uniform(0.5, 1.0)  # noqa: S311  # so that many clients do not come back at once
        asked_s = None if isinstance(error, httpx.RequestError) else error.retry_after_s
        return max(pause_s, asked_s or 0)


def _is_outstanding(error: Exception) -> bool:
    """Whether an earlier try of the same call is under way: that is no failure, only early."""
    return isinstance(error, Unavailable) and error.code == OUTSTANDING


def unreachable(error: httpx.RequestError) -> Unreachable:
    """What the caller is told."""
    url = error.request.url
    place = f"{url.scheme}://{url.netloc.decode()}"
    return Unreachable(f"The API at {place} does not answer ({type(error).__name__}: {error}).")


def answered(
    request: Request,
    patience: Patience,
    *,
    step: type[Send | Open] = Send,
    again: tuple[type[httpx.RequestError], ...] = PASSING,
) -> Steps[Answer]:
    """The answer that is no error, once there is one; ``again``: errors of the line after which it is sent again."""
    while True:
        try:
            answer: Answer = yield step(request)
            check(answer)
        except httpx.RequestError as error:
            if not isinstance(error, again):
                raise unreachable(error) from error
            yield patience.pause(error)
        except (RateLimited, Unavailable) as error:
            yield patience.pause(error)
        else:
            patience.answered()
            return answer

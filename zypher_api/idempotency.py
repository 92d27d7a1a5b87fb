"""``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header-07): a request that is tried again is answered once.

Only success is kept: whoever was told of a failure tries again, and it runs again. What is wrong with the request
itself is refused before its key is looked at.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256

from litestar.types import Scope

from zypher_api.negotiation import MAX_WAIT_S, Reply
from zypher_api.problems import CallerGone, MalformedRequest
from zypher_api.responses import RawResponse
from zypher_api.services import Services
from zypher_jobs.errors import AnswerNotKept, RedisUnavailable
from zypher_jobs.queue.once import Answer, Try

MOST_CHARS = 255
HEADER = b"idempotency-key"

_QUOTED = re.compile(rb'"((?:[^"\\]|\\["\\])*+)"[ \t]*+(?:;.*+)?', re.DOTALL)
_PLAIN = re.compile(rb"[ -~]*+")
_REPLAYED = (b"idempotency-replayed", b"true")
_FOUND = Reply(later=True, wait_s=MAX_WAIT_S)
"""How a synchronous caller is answered whose earlier try left its prediction behind: as soon as that has ended."""
_FORM_HEADERS = 2
"""How many of an answer's headers say what form the body has; ``RawResponse`` makes them."""


def wanted_key(scope: Scope) -> str:
    """The key of a request that has the header: a string of structured fields (RFC 8941), or as it is without quotes.

    Raises ``MalformedRequest`` for one that is empty, too long or not of visible ASCII, and for several.
    """
    values = [value for name, value in scope["headers"] if name == HEADER]
    text = values[0].strip(b" \t")
    if text.startswith(b'"'):
        quoted = _QUOTED.fullmatch(text)
        text = b"" if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted[1])
    if len(values) > 1 or not 1 <= len(text) <= MOST_CHARS or not _PLAIN.fullmatch(text):
        raise MalformedRequest(
            f"The header Idempotency-Key must be one key of 1 to {MOST_CHARS} characters of visible ASCII: a UUID.",
            field="Idempotency-Key",
        )
    return text.decode("ascii")


Run = Callable[[Reply, str, bool], Awaitable[RawResponse]]
"""Predicts, as the caller wants to be answered, under that id, which may not be new: an earlier try queued it."""


async def predicted_once(
    services: Services, scope: Scope, body: bytes, *, caller: str, reply: Reply, run: Run
) -> RawResponse:
    """``answered_once`` of what predicts."""
    return await answered_once(
        services,
        scope,
        body,
        caller=caller,
        run=lambda begun: run(
            _FOUND if begun.is_known and not reply.later else reply, begun.prediction_id, not begun.is_known
        ),
        is_queued=reply.later,
    )


async def answered_once(
    services: Services,
    scope: Scope,
    body: bytes,
    *,
    caller: str,
    run: Callable[[Try], Awaitable[RawResponse]],
    is_queued: bool,
) -> RawResponse:
    """The answer of ``run``, or what was answered when the same request came before.

    ``is_queued``: what ``run`` began may go on without it. Raises ``RequestOutstanding``, ``KeyReused``,
    ``AnswerNotKept``, and ``RedisUnavailable`` rather than to run it without knowing.
    """
    once = services.once
    key = wanted_key(scope)
    fingerprint = sha256(scope["raw_path"] + b"\0" + body).hexdigest()
    begun = await once.begin(key, caller=caller, fingerprint=fingerprint)
    if isinstance(begun, Answer):
        return _replay(scope, begun)
    try:
        answer = await run(begun)
    except BaseException as error:
        is_cut_off = isinstance(error, CallerGone | RedisUnavailable | asyncio.CancelledError)
        goes_on = is_cut_off and (is_queued or begun.is_known)
        with suppress(RedisUnavailable):  # its lease lapses
            await (once.leave(begun) if goes_on else once.forget(begun))
        raise
    kept = Answer(
        status=answer.status,
        headers=answer.headers[_FORM_HEADERS:],
        body=answer.body,
        body_bytes=len(answer.body),
        prediction_id=scope["state"].get("prediction_id", ""),  # of many there is none
        media_type=answer.headers[0][1],
    )
    with suppress(RedisUnavailable):  # it was run, so its caller is told
        await once.answer(begun, kept)
    return answer


def _replay(scope: Scope, kept: Answer) -> RawResponse:
    scope["state"]["prediction_id"] = kept.prediction_id
    if kept.body is None:
        raise AnswerNotKept(kept.prediction_id, body_bytes=kept.body_bytes)
    headers = [*kept.headers, _REPLAYED]
    return RawResponse(kept.body, status=kept.status, headers=headers, media_type=kept.media_type)

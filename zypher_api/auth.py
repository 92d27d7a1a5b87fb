"""``Auth``: who asks, and whether it may.

Once a key exists, every route wants one whose scopes its ``Operation`` names; health probes and the documentation want
none. Before, this machine may do everything and nobody else anything, as with Redis's protected mode: a server that
somebody forgot to lock is not found from outside.
"""

import hmac
import ipaddress
import logging
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, cast

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ControllerRouterHandler, Scope

from zypher_api.keyring import ANYBODY, Caller, KeyRing
from zypher_api.limits import KeyLimits
from zypher_api.openapi import OPT, Operation
from zypher_api.presence import STATE_KEY, Presence
from zypher_api.problems import Forbidden, NoSuchKey, Protected
from zypher_jobs.contracts.access import Scope as KeyScope
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.api_keys import PREFIX, digest_of

log = logging.getLogger("zypher.api")

OWN_AUTH = "own_auth"
"""Key in the ``opt`` of a handler that calls ``admit`` itself."""
_BEARER = b"bearer "
_PREFIX = PREFIX.encode()
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


class Auth:
    """Over the process's key ring."""

    def __init__(self, ring: KeyRing, mode: Literal["auto", "required", "off"]) -> None:
        self._ring = ring
        self._mode = mode
        self._near_hosts: set[bytes] = set()

    def warn(self, host: str) -> None:
        """Say at the start what a server that others can reach does with them."""
        if is_loopback(host) or host == "localhost":
            return
        if self._mode == "off":
            log.warning("ZYPHER_AUTH is off: whoever reaches %s may do everything", host)
        elif self._mode == "auto" and self._ring.known and not self._ring.has_keys:
            log.warning("there are no API keys, so only this machine is served; `zypher keys create NAME` makes one")

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes], scopes: Collection[KeyScope]) -> Caller:
        """Who asks, if it may: one of ``scopes`` is enough. Writes it to the request's state too.

        Raises ``NoSuchKey``, ``Forbidden``, ``Protected``; ``RedisUnavailable`` while keys are wanted and none could be
        read.
        """
        sent = headers.get(b"authorization")
        caller = self._without_key(scope, headers) if sent is None else self._with_key(sent, scope, headers)
        if not caller.scopes.isdisjoint(scopes):
            scope["state"]["caller"] = caller
            return caller
        raise Forbidden(caller.name, wanted=sorted(scopes))

    def _with_key(self, sent: bytes, scope: Scope, headers: Mapping[bytes, bytes]) -> Caller:
        if sent[: len(_BEARER)].lower() != _BEARER:
            if self._wants_keys:
                raise NoSuchKey("The header Authorization must be: Bearer, a space, and the key.")
            return self._without_key(scope, headers)
        presence: Presence | None = scope["state"].get(STATE_KEY)
        known = None if presence is None else presence.admitted
        # on its own connection a caller learns nothing from how long it takes to see that it sent the same again
        if known is not None and known[0] == sent and self._ring.find(known[1].key_id) is known[1]:
            caller = known[1]
        else:
            caller = self._proven(sent[len(_BEARER) :].strip())
            if presence is not None:
                presence.admitted = (sent, caller)
        if 0 < caller.expires_at_ms <= time.time() * 1000:
            raise NoSuchKey(f"The key {caller.name!r} has expired; make a new one with `zypher keys create`.")
        return caller

    def _proven(self, token: bytes) -> Caller:
        if not token.startswith(_PREFIX):
            raise self._wrong()
        key_id, _, secret = token[len(_PREFIX) :].partition(b"_")
        caller = self._ring.find(key_id.decode("latin-1"))
        # an unknown id takes as long as a wrong secret
        if not hmac.compare_digest(digest_of(secret), caller.digest if caller else _NO_DIGEST) or caller is None:
            raise self._wrong()
        return caller

    def _wrong(self) -> Exception:
        if not self._ring.known and self._mode != "off":
            return RedisUnavailable(_UNREAD)
        return NoSuchKey("That key is not known here, or it was revoked.")

    def _without_key(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Caller:
        if self._mode == "off":
            return ANYBODY
        if self._wants_keys:
            if not self._ring.known:
                raise RedisUnavailable(_UNREAD)
            raise NoSuchKey("This server wants a key: send it as Authorization: Bearer zk_….")
        if not self._is_near(scope, headers):
            raise Protected
        return ANYBODY

    @property
    def _wants_keys(self) -> bool:
        return self._mode == "required" or (self._mode == "auto" and self._ring.has_keys)

    def _is_near(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether this machine asks, for itself: no proxy, and no web page that had its own name lead here."""
        client = scope["client"]
        if client is None or not is_loopback(client[0]) or any(name in headers for name in _FORWARDED):
            return False
        host = headers.get(b"host", b"")
        if host in self._near_hosts:
            return True
        if not _is_address(host):
            return False
        if len(self._near_hosts) < 64:
            self._near_hosts.add(host)
        return True


_NO_DIGEST = digest_of(b"")
_UNREAD = "Redis has not answered since the start, so no key can be checked; try again shortly."
_UNDESCRIBED = Operation(method="get", path="", operation_id="", tag="", summary="", answers={})


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


def _is_address(host: bytes) -> bool:
    """Whether a ``Host`` is an address or ``localhost``: what no page of the web can make lead elsewhere."""
    name = re.sub(r":\d*$", "", host.decode("latin-1").lower()).rstrip(".")
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def protect(
    handlers: Sequence[ControllerRouterHandler], auth: Auth, limits: KeyLimits
) -> list[ControllerRouterHandler]:
    """Have each handler ask for the scopes that its operations name, and count the request.

    One that names none is for administrators.
    """
    for handler in handlers:
        if isinstance(handler, BaseRouteHandler) and not handler.opt.get(OWN_AUTH) and (scopes := scopes_of(handler)):
            handler.guards = [_guard(auth, limits, scopes)]
    return list(handlers)


def scopes_of(handler: BaseRouteHandler) -> frozenset[KeyScope]:
    """Those that a handler's operations name; one of them is enough, none means that anybody may."""
    declared = cast("list[Operation | Callable[[], Operation]]", handler.opt.get(OPT, [_UNDESCRIBED]))
    found = [each if isinstance(each, Operation) else each() for each in declared]
    return frozenset(each for operation in found for each in operation.scopes)


def _guard(auth: Auth, limits: KeyLimits, scopes: frozenset[KeyScope]) -> Any:
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        caller = auth.admit(connection.scope, dict(connection.scope["headers"]), scopes)
        if caller.is_limited:
            await limits.request(connection.scope, caller)

    return guard


def caller_of(scope: Scope) -> Caller:
    """Who asks; the request was admitted."""
    return scope["state"].get("caller", ANYBODY)


async def require_own(scope: Scope, queue: PredictionQueue, prediction_id: str, *, to_act: bool = False) -> None:
    """Raises ``UnknownPrediction`` for another caller's, unless the key sees all, or with ``to_act`` may operate."""
    caller = caller_of(scope)
    if not (caller.may_operate if to_act else caller.sees_all):
        owner = await queue.inspect.caller_of(prediction_id)
        if owner != caller.key_id:
            raise UnknownPrediction(prediction_id)

"""What may be found instead of figures the first time, each as sources tell it: for pictures and tests."""

from collections.abc import Mapping

import msgspec

from zypher_tui.core.readings import Fault, Reading, SourceName
from zypher_tui.core.troubles import Addresses

SINCE_S, NOW_S = 1.0, 13.0
HERE, THERE = "http://127.0.0.1:8080", "http://models.example:8080"


class Blank(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody ever brought figures."""

    addresses: Addresses
    readings: tuple[Reading, ...] = ()
    asked_s: float = NOW_S


def _api(fault: Fault, error: str = "", *, url: str = THERE, refusal: str = "", has_key: bool = False) -> Blank:
    reading = Reading(
        source=SourceName.API,
        at_s=SINCE_S,
        error=error or None,
        overview_error=refusal or None,
        fault=fault,
        latency_ms=1.2 if refusal else None,
    )
    return Blank(addresses=Addresses(api_url=url, has_key=has_key), readings=(reading,))


def _with_redis(blank: Blank, fault: Fault, error: str, *, redis: str = "redis://127.0.0.1:6379") -> Blank:
    reading = Reading(source=SourceName.REDIS, at_s=SINCE_S, error=error, fault=fault)
    addresses = msgspec.structs.replace(blank.addresses, redis=redis)
    return Blank(addresses=addresses, readings=(*blank.readings, reading))


_REFUSED = "connection refused"
_WANTS_KEY = "it asks for a key (401)"
TROUBLES: Mapping[str, Blank] = {
    "asked": Blank(addresses=Addresses(api_url=THERE), asked_s=3.0),
    "nothing-runs": _with_redis(_api(Fault.REFUSED, _REFUSED, url=HERE), Fault.REFUSED, _REFUSED),
    "refused": _api(Fault.REFUSED, _REFUSED),
    "no-host": _api(Fault.NO_HOST, "its host name is not known", url="http://modles.example:8080"),
    "silent": _api(Fault.SILENT, "no answer within 3 s"),
    "foreign": _api(Fault.FOREIGN, "what answers there is no Zypher: 404, Directory listing, SimpleHTTP/0.6", url=HERE),
    "tls": _api(Fault.TLS, "it speaks TLS"),
    "no-tls": _api(Fault.NO_TLS, "it speaks no TLS", url="https://127.0.0.1:8080"),
    "key-wanted": _api(Fault.KEY, refusal=_WANTS_KEY),
    "key-wrong": _api(Fault.KEY, refusal=_WANTS_KEY, has_key=True),
    "key-scope": _api(
        Fault.SCOPE,
        refusal="the key 'shop' may not do this: it takes a key with the scope operate or read (403)",
        has_key=True,
    ),
    "near-only": _api(
        Fault.NEAR_ONLY,
        refusal="this server has no API keys yet, so it serves callers on its own machine only (403)",
    ),
    "version": _api(
        Fault.VERSION,
        refusal="it answers, but not as this version of Zypher expects (Object missing required field `redis_ms`)",
    ),
    "redis-password": _with_redis(
        _api(Fault.REFUSED, _REFUSED),
        Fault.PASSWORD,
        "refuses the user or password of ZYPHER_REDIS_URL",
        redis="redis://models.example:6379/0",
    ),
}

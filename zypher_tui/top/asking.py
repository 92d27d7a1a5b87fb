"""One look at the sources: blocking, with ``http.client``, for nothing else loads as fast."""

import asyncio
import http.client
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.sources import answers
from zypher_tui.sources.failures import failure_of
from zypher_tui.sources.source import SourceAway

LATEST = 50
"""Predictions asked for."""
TIMEOUT_S = 3.0


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where the facts are read."""

    api_url: str
    redis_url: str | None
    api_key: str | None = None


def ask(sources: Sources) -> list[Reading]:
    """What they say; Redis is asked itself only when the API brings no figures."""
    readings = [_ask_api(sources.api_url, sources.api_key)]
    if sources.redis_url and readings[0].overview is None:
        readings.append(asyncio.run(_ask_redis(sources.redis_url)))
    return readings


def _ask_api(url: str, api_key: str | None) -> Reading:
    split = urlsplit(url)
    connection_type = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
    connection = connection_type(split.hostname or "", split.port, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    error = latency_ms = health = overview = overview_error = fault = None
    try:
        started_s = time.perf_counter()
        live = _get(connection, split.path + "/health/live", headers)
        latency_ms = (time.perf_counter() - started_s) * 1000
        answers.check_live(live.status, live.body, server=live.server, location=live.location)
        health = answers.health(*_get(connection, split.path + "/health", headers)[:2])
        try:
            overview = answers.overview(*_get(connection, f"{split.path}/stats?latest={LATEST}", headers)[:2])
        except SourceAway as refusal:
            overview_error, fault = str(refusal), refusal.fault
    except SourceAway as refusal:
        error, fault = str(refusal), refusal.fault
    except (OSError, http.client.HTTPException) as failure:
        error, fault = (failed := failure_of(failure, timeout_s=TIMEOUT_S)).says, failed.fault
    finally:
        connection.close()
    return Reading(
        source=SourceName.API,
        at_s=time.monotonic(),
        error=error,
        latency_ms=latency_ms,
        health=health,
        overview=overview,
        overview_error=overview_error,
        fault=fault,
    )


class _Answer(NamedTuple):
    status: int
    body: bytes
    server: str
    location: str


def _get(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> _Answer:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return _Answer(answer.status, answer.read(), answer.headers.get("server", ""), answer.headers.get("location", ""))


async def _ask_redis(url: str) -> Reading:
    from zypher_tui.sources.redis import RedisSource  # noqa: PLC0415  # 155 ms, and mostly not needed

    source = RedisSource(url)
    try:
        return await source.read(overview=True)
    finally:
        await source.aclose()

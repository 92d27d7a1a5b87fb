"""``zypher keys``: make, list and revoke API keys, in Redis itself: they work before anybody has a key."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import click
import msgspec

from zypher_jobs.contracts.access import ApiKey, ApiKeyRequest
from zypher_jobs.errors import InvalidInput
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.api_keys import ApiKeys
from zypher_jobs.settings import Settings

T = TypeVar("T")

_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def create(
    settings: Settings,
    name: str,
    scopes: Sequence[str],
    *,
    expires: str | None,
    limits: Mapping[str, str | int | None],
) -> int:
    """Make a key: the whole of it alone on stdout, what it may do on stderr. Raises ``InvalidInput``, ``Conflict``."""
    said = {"name": name, "scopes": list(scopes), "expires_in_s": _seconds(expires)}
    try:
        asked = msgspec.convert({**said, **limits}, ApiKeyRequest)
    except msgspec.ValidationError as error:
        raise InvalidInput(_in_words(str(error))) from None
    key, token = _with_keys(settings, lambda keys: keys.create(asked))
    click.echo(token)
    click.echo(f"Made {_line(key)}. It is shown this once; send it as Authorization: Bearer.", err=True)
    return 0


def show(settings: Settings, *, as_json: bool) -> int:
    """Print all keys, oldest first."""
    found = _with_keys(settings, lambda keys: keys.all())
    if as_json:
        click.echo(msgspec.json.encode(found))
        return 0
    for key in found:
        click.echo(_line(key))
    if not found:
        click.echo("There are no keys: the API serves its own machine only. `zypher keys create NAME` makes one.")
    return 0


def revoke(settings: Settings, name: str) -> int:
    """Refuse a key from now on. Raises ``UnknownKey``."""

    async def revoke_one(keys: ApiKeys) -> tuple[ApiKey, bool]:
        return await keys.revoke(name), not await keys.all()

    key, was_last = _with_keys(settings, revoke_one)
    click.echo(f"Revoked {_line(key)}.")
    if was_last:
        click.echo("That was the last key: unless ZYPHER_AUTH is required, this machine needs none again.", err=True)
    return 0


def _with_keys(settings: Settings, use: Callable[[ApiKeys], Awaitable[T]]) -> T:
    async def run() -> T:
        queue = PredictionQueue.from_settings(settings)
        keys = ApiKeys(queue)
        try:
            return await use(keys)
        finally:
            await keys.aclose()
            await queue.aclose()

    return asyncio.run(run())


def _line(key: ApiKey) -> str:
    parts = [f"{key.key_id}  {key.name}  {','.join(key.scopes)}"]
    if key.expires_at is not None:
        has_expired = key.expires_at <= datetime.now(UTC)
        parts.append(f"{'expired' if has_expired else 'expires'} {key.expires_at:%Y-%m-%d %H:%M} UTC")
    parts += [
        f"{limit} {what}" for what, limit in (("requests", key.requests), ("predictions", key.predictions)) if limit
    ]
    if key.concurrent:
        parts.append(f"{key.concurrent} at once")
    return "  ".join(parts)


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})(s|min|h|d)", text.strip())
    if match is None:
        raise InvalidInput(f"--expires {text!r} cannot be used: write 90min, 12h or 30d.")
    return int(match[1]) * _UNITS_S[match[2]]


def _in_words(problem: str) -> str:
    """An error of the request, as an error of the options."""
    _, _, path = problem.partition(" - at `$.")
    match path.rstrip("`"):
        case "name":
            return "A key's name has 1 to 64 letters, digits, spaces and ._@:/+- and begins with a letter or digit."
        case "requests" | "predictions" as option:
            return f"--{option} cannot be used: write 100/s, 1000/min or 5/10s."
        case "expires_in_s":
            return "--expires cannot be used: ten years are the longest."
        case _:
            return f"{problem}."

"""``zypher doctor``: looks at every part and says what to do. Starts nothing and changes nothing."""

import asyncio
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import click

from zypher_jobs.contracts.stats import Overview
from zypher_jobs.errors import RedisUnavailable, ZypherError
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue.embedded import find_server_binary
from zypher_jobs.queue.inspect import Inspector
from zypher_jobs.queue.probe import concerns, probe
from zypher_jobs.settings import DESCRIPTIONS, LoadedSettings, Settings, load_with_sources
from zypher_jobs.supervisor.data_dir import DataDir, RunFacts
from zypher_jobs.supervisor.listener import bind
from zypher_jobs.supervisor.preflight import embedded_version, mask_url
from zypher_jobs.supervisor.probes import api_is_ready, api_url, is_listening

_LITTLE_SPACE_BYTES = 500_000_000
_MARKS = {"ok": "✓ ok   ", "note": "! note ", "wrong": "✗ wrong"}


def run_doctor() -> int:
    """Print one line per finding; 1 when something would keep ``zypher up`` from starting, else 0."""
    report = _Report()
    report.ok("python", f"{platform.python_version()} ({sys.executable})")
    try:
        loaded = load_with_sources()
    except ZypherError as error:
        report.wrong("settings", error.message)
        return report.exit_code
    report.ok("settings", _changed(loaded))
    _print_settings(loaded)
    settings = loaded.settings
    running = DataDir(settings.data_dir).running()
    _check_server(report, settings)
    _check_data_dir(report, settings.data_dir, running)
    _check_port(report, settings, running)
    _check_models(report, settings)
    asyncio.run(_check_running(report, settings, running))
    return report.exit_code


class _Report:
    """What was found so far."""

    def __init__(self) -> None:
        self.exit_code = 0

    def ok(self, part: str, text: str) -> None:
        self._say("ok", part, text)

    def note(self, part: str, text: str) -> None:
        self._say("note", part, text)

    def wrong(self, part: str, text: str) -> None:
        self.exit_code = 1
        self._say("wrong", part, text)

    def _say(self, verdict: str, part: str, text: str) -> None:
        click.echo(f"{_MARKS[verdict]} {part:<9} {text}")


def _changed(loaded: LoadedSettings) -> str:
    names = [name for name, source in loaded.sources.items() if source != "default"]
    return f"{len(names)} of {len(loaded.sources)} set: {', '.join(names)}" if names else "all are defaults"


def _print_settings(loaded: LoadedSettings) -> None:
    for name, source in loaded.sources.items():
        value: object = getattr(loaded.settings, name)
        click.echo(f"          ZYPHER_{name.upper():<18} {_shown(name, value):<12} ({source}) {DESCRIPTIONS[name]}")


def _shown(name: str, value: object) -> str:
    """As a person would write it; nothing that is secret."""
    if value is None:
        return "unset"
    match name, value:
        case "redis_url", str():
            return mask_url(value)
        case "api_key", _:
            return "set"
        case _, tuple():
            return ",".join(map(str, cast("tuple[object, ...]", value))) or "none"
        case _, float():
            return f"{value:g}"
        case _:
            return str(value)


def _check_server(report: _Report, settings: Settings) -> None:
    if settings.redis_url is not None:
        report.ok("server", "none is started: ZYPHER_REDIS_URL names one")
        return
    try:
        report.ok("server", f"{embedded_version()} ({find_server_binary()})")
    except ZypherError as error:
        report.wrong("server", error.message)


def _check_data_dir(report: _Report, path: Path, running: RunFacts | None) -> None:
    place = path.resolve()
    existing = next(parent for parent in (place, *place.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        report.wrong("data", f"{place} cannot be written ({error.strerror}); set ZYPHER_DATA_DIR")
        return
    free_bytes = shutil.disk_usage(existing).free
    space = f"{free_bytes / 1e9:.1f} GB of disk left"
    if free_bytes < _LITTLE_SPACE_BYTES:
        report.note("data", f"{place}: {space}; queued predictions need some")
    elif running is not None:
        report.ok("data", f"{place} is in use by the Zypher that runs (pid {running.pid}), {space}")
    elif DataDir(path).is_locked():
        report.wrong("data", f"{place} is in use by a process that Zypher left behind; end it or set ZYPHER_DATA_DIR")
    else:
        report.ok("data", f"{place} is free and can be written, {space}")


def _check_port(report: _Report, settings: Settings, running: RunFacts | None) -> None:
    if running is not None and running.api_url == api_url(settings):
        report.ok("port", f"{settings.port} on {settings.host} is the running Zypher's")
        return
    try:
        bind(settings.host, settings.port).close()
    except ZypherError as error:
        report.wrong("port", error.message)
    else:
        report.ok("port", f"{settings.port} on {settings.host} is free")


def _check_models(report: _Report, settings: Settings) -> None:
    try:
        registry = ModelRegistry.from_settings(settings)
    except ZypherError as error:
        report.wrong("models", error.message)
        return
    asyncio.run(_check_loading(report, registry))


async def _check_loading(report: _Report, registry: ModelRegistry) -> None:
    for model in registry.all():
        started = time.perf_counter()
        await model.load()
        took = f"{(time.perf_counter() - started) * 1000:.0f} ms"
        if model.error is None:
            report.ok("model", f"{model.definition.reference} loads in {took}")
        else:
            report.note("model", f"{model.definition.reference} does not load, the others are served: {model.error}")
    await registry.close()


async def _check_running(report: _Report, settings: Settings, running: RunFacts | None) -> None:
    redis_url = settings.redis_url or (running.redis_url if running else None)
    if redis_url is None:
        report.note("redis", "does not run; `zypher up` starts it")
    else:
        await _check_redis(report, redis_url, own=settings.redis_url is None, timeout_s=settings.redis_timeout_s)
    url = running.api_url if running else api_url(settings)
    if await api_is_ready(url):
        count = sum(name.startswith("api") for name in running.pids) if running else 0
        report.ok("api", f"{url} answers and is ready" + (f", {count} processes" if count > 1 else ""))
    elif is_listening(url):
        report.note("api", f"{url} takes connections but is not ready; look at {url}/health")
    else:
        report.note("api", "does not run; `zypher up` or `zypher api` starts it")
    if redis_url is None:
        report.note("workers", "none run; `zypher up` starts them")
    else:
        await _check_workers(report, redis_url, timeout_s=settings.redis_timeout_s)


async def _check_redis(report: _Report, url: str, *, own: bool, timeout_s: float) -> None:
    way_out = "restart `zypher up`" if own else "start it, or correct or unset ZYPHER_REDIS_URL"
    try:
        facts = await probe(url, timeout_s=timeout_s)
    except ZypherError as error:
        report.wrong("redis", f"{error.message.removesuffix('.')} ({mask_url(url)}); {way_out}")
        return
    report.ok("redis", f"{facts.name} {facts.version} answers in {facts.ping_ms:.2f} ms ({mask_url(url)})")
    for text in concerns(facts):
        report.note("redis", text)


async def _check_workers(report: _Report, redis_url: str, *, timeout_s: float) -> None:
    inspector = Inspector.from_url(redis_url, timeout_s=timeout_s)
    try:
        overview: Overview = await inspector.overview(latest=0)
    except RedisUnavailable:
        report.note("workers", "cannot be counted without Redis")
        return
    finally:
        await inspector.aclose()
    waiting = f"{overview.queue.depth} predictions wait"
    if overview.workers:
        report.ok("workers", f"{len(overview.workers)} alive, {waiting}")
    else:
        report.note("workers", f"none alive, {waiting}; start one with `zypher worker`")

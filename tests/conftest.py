"""Fixtures on real parts: one private embedded server per test worker, or one of the test's own that may be killed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import redis

from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import LatencyRange, Settings
from zypher_jobs.testing import free_port

if TYPE_CHECKING:
    from tests.api.running import RunningApi
    from zypher_jobs.worker import PredictionWorker


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One server for all tests of this process; tests take ``redis_url``."""
    server = EmbeddedServer(tmp_path_factory.mktemp("valkey"), appendonly=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(shared_server: EmbeddedServer) -> str:
    """URL of an empty database."""
    connection: Any = redis.Redis(unix_socket_path=str(shared_server.socket_path))
    with connection as client:
        client.flushall()
    return shared_server.url


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A started server of the test's own, AOF on; the test may stop, kill and start it again."""
    server = EmbeddedServer(tmp_path / "valkey")
    server.start()
    yield server
    if server.poll() is None:
        server.kill()


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """Settings for one process under test: shared server, free port, a mock model without latency."""
    return make_settings(redis_url, tmp_path)


@pytest.fixture
def valkey_settings(valkey: EmbeddedServer, tmp_path: Path) -> Settings:
    """The same over the test's own server."""
    return make_settings(valkey.url, tmp_path)


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Those of ``api``: who tests models of their own, or a limit, has others."""
    return settings


@pytest.fixture
async def api(api_settings: Settings) -> "AsyncIterator[RunningApi]":
    """A client of a running API."""
    from tests.api.running import running_api

    async with running_api(api_settings) as running:
        yield running


@pytest.fixture
async def worker(api: "RunningApi") -> "AsyncIterator[PredictionWorker]":
    """A worker beside it, with its models."""
    from tests.api.running import running_worker

    async with running_worker(api) as running:
        yield running


def make_settings(url: str, directory: Path) -> Settings:
    """Defaults of the product, but for what tests must not share or wait for."""
    return msgspec.structs.replace(
        Settings(), redis_url=url, port=free_port(), data_dir=directory / "data", mock_latency_ms=LatencyRange(0, 0)
    )

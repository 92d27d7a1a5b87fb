"""Both clients, of an API whose models wait, fail and speak."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi
from tests.client.either import calling
from tests.client.scripted import Scripted, scripted
from zypher_jobs.settings import Settings

MODELS = ("Gate", "Raises", "Speaks")


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """The test's settings, with models that wait, fail and speak."""
    return msgspec.structs.replace(settings, models=tuple(f"tests.api.models:{name}" for name in MODELS))


@pytest.fixture(params=["blocking", "awaiting"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the client; every test that asks for one runs with each."""
    return request.param


@pytest.fixture
def make_client(kind: str) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """A client of a URL."""
    return partial(calling, kind)


@pytest.fixture
async def client(make_client: Callable[..., AbstractAsyncContextManager[Any]], api: RunningApi) -> AsyncIterator[Any]:
    """A client of the running API."""
    async with make_client(str(api.base_url)) as made:
        yield made


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    """A server that says what the test wants."""
    async with scripted() as running:
        yield running

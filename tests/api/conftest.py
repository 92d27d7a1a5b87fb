"""An API, and models that fail in ways of their own."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.settings import Settings
from zypher_jobs.worker import PredictionWorker


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """The test's settings, with the models of ``tests.api.models`` beside the built-in ones."""
    return msgspec.structs.replace(
        settings,
        models=(
            "tests.api.models:Gate",
            "tests.api.models:Raises",
            "tests.api.models:NotLoaded",
            "tests.api.models:Keeps",
        ),
    )


@pytest.fixture
async def api(api_settings: Settings) -> AsyncIterator[RunningApi]:
    """A client of a running API."""
    async with running_api(api_settings) as running:
        yield running


@pytest.fixture
async def worker(api: RunningApi) -> AsyncIterator[PredictionWorker]:
    """A worker beside it."""
    async with running_worker(api) as running:
        yield running

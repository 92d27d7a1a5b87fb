"""An API, a worker and what delivers, over a database of the test's own; a receiver on loopback that is allowed."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.running import RunningApi, running_api, running_worker
from tests.webhooks.receiver import Receiver, receiving
from zypher_jobs.settings import Pauses, Settings
from zypher_jobs.webhooks.delivering import delivering


@pytest.fixture
def webhook_settings(settings: Settings) -> Settings:
    """Quick retries, loopback allowed."""
    return msgspec.structs.replace(
        settings,
        models=("tests.api.models:Gate", "tests.api.models:Raises", "tests.webhooks.models:Long"),
        webhook_allow=("127.0.0.0/8",),
        webhook_retry_s=Pauses((0.05, 0.05, 0.05)),
        webhook_timeout_s=5,
    )


@pytest.fixture
async def api(webhook_settings: Settings) -> AsyncIterator[RunningApi]:
    """A client of an API with a worker beside it that delivers nothing."""
    async with running_api(webhook_settings) as api, running_worker(api):
        yield api


@pytest.fixture
async def delivers(api: RunningApi) -> AsyncIterator[None]:
    """Webhooks are delivered."""
    async with delivering(api.services.queue, api.settings):
        yield


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """One that takes everything, until it is told otherwise."""
    async with receiving() as receiver:
        yield receiver

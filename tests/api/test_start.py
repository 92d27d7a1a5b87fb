"""What a start costs, and what is answered while models are still loading."""

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.models import LoadsLater
from tests.api.running import RunningApi, running_api
from zypher_api import services
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

MAKES_AN_APP = """
import sys
from zypher_api.app import create_app
from zypher_jobs.settings import Settings

create_app(Settings(redis_url="redis://127.0.0.1:1"))
print(*sys.modules)
"""


async def test_a_start_loads_nothing_that_only_later_requests_need() -> None:
    """Nor what Litestar would bring in because it happens to be installed (pydantic alone: a quarter of a start)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MAKES_AN_APP), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), timeout=30)

    loaded = set(out.decode().split())
    assert "litestar" in loaded
    assert not loaded & {"pydantic", "attr", "attrs", "prometheus_client", "onnxruntime", "numpy", "faker"}


@pytest.fixture
async def loading(settings: Settings) -> AsyncIterator[RunningApi]:
    """An API one of whose models is still loading."""
    LoadsLater.may_load.clear()
    try:
        slow = msgspec.structs.replace(settings, models=("tests.api.models:LoadsLater",))
        async with running_api(slow, loaded=False) as api:
            yield api
            LoadsLater.may_load.set()  # or its thread would hold the end of the API up
    finally:
        LoadsLater.may_load.set()


async def ready(api: RunningApi) -> bool:
    """Whether it says so."""
    return (await api.get("/health/ready")).status_code == 200


async def test_ready_as_soon_as_the_default_model_is(loading: RunningApi) -> None:
    """Others load behind it, and say so."""
    await wait_until(lambda: ready(loading))

    model = (await loading.get("/models/loads-later")).json()
    assert (model["ready"], model["error"]) == (False, "it is still loading")


async def test_the_caller_of_a_model_that_loads_is_held_until_it_has(loading: RunningApi) -> None:
    """The first calls after a start succeed."""
    predicting = asyncio.create_task(loading.post("/models/loads-later/predict", json={"text": "hello"}))
    await wait_until(lambda: loading.services.meter.running == 1)
    assert not predicting.done()

    LoadsLater.may_load.set()

    assert (await predicting).json() == {"text": "hello"}


async def test_the_caller_of_a_model_that_loads_for_long_is_told_so(
    loading: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with ``Retry-After``."""
    monkeypatch.setattr(services, "LOAD_WAIT_S", 0.05)

    answer = await loading.post("/models/loads-later/predict", json={"text": "hello"})

    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_ready")
    assert "still loading" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) >= 1

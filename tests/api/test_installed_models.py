"""An installed model that cannot be imported, as callers see it: not ready, with the reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.running import RunningApi, running_api, running_worker
from tests.models.packages import install
from zypher_jobs.settings import Settings


@pytest.fixture
async def api(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningApi]:
    """An API beside a package whose entry point leads nowhere."""
    install(tmp_path, monkeypatch, "broken = shop_models:Ecko")
    async with running_api(settings) as running:
        yield running


async def test_it_is_listed_with_the_reason(api: RunningApi) -> None:
    """In ``GET /models``; the server is ready."""
    (broken,) = [model for model in (await api.get("/models")).json()["models"] if model["name"] == "broken"]
    assert broken["ready"] is False
    assert broken["error"].startswith(
        "Entry point broken of shop 1.2: 'shop_models:Ecko': module shop_models has no Ecko"
    )
    assert (await api.get("/health/ready")).status_code == 200


async def test_its_callers_are_told(api: RunningApi) -> None:
    """503; a queued one fails with the same code."""
    answer = await api.post("/models/broken/predict", json={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_ready")
    async with running_worker(api):
        queued = await api.post("/models/broken/predict", json={"text": "x"}, headers={"Prefer": "respond-async"})
        record = (await api.get(f"{queued.headers['Location']}?wait=20")).json()
    assert (record["status"], record["error"]["code"]) == ("failed", "model_not_ready")


async def test_the_documentation_holds(api: RunningApi) -> None:
    """Without a schema of it there is still a valid document."""
    document = (await api.get("/docs/openapi.json")).json()
    OpenAPIV31SpecValidator(document).validate()
    assert "/models/digits/predict" in document["paths"]

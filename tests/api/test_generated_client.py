"""A client that openapi-python-client makes of the document: typed, and it works."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.running import RunningApi, running_worker
from zypher_api.app import create_app
from zypher_api.routes.docs import openapi_json
from zypher_jobs.settings import Settings

NAME = "zypher_generated"


@pytest.fixture
def generated(api_settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The package, which can be imported."""
    document, config = tmp_path / "openapi.json", tmp_path / "config.json"
    document.write_bytes(openapi_json(create_app(api_settings)))
    config.write_text(json.dumps({"post_hooks": []}))  # it would have ruff beautify what nobody reads
    yield _generate(document, config, tmp_path / NAME)
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def _generate(document: Path, config: Path, place: Path) -> Path:
    from openapi_python_client import generate
    from openapi_python_client.config import Config, ConfigFile, MetaType

    said = Config.from_sources(
        ConfigFile.load_from_path(config), MetaType.NONE, document, "utf-8", overwrite=True, output_path=place
    )
    assert generate(config=said) == []  # nothing that it could not understand
    sys.path.insert(0, str(place.parent))
    return place


def _function(name: str, tag: str = "predictions") -> Any:
    return importlib.import_module(f"{NAME}.api.{tag}.{name}").asyncio_detailed


async def test_it_submits_waits_and_reads(api: RunningApi, generated: Path) -> None:
    """With a key; the answers are objects with the types of the document."""
    made = await api.post("/keys", json={"name": "generated", "scopes": ["predict", "admin"]})
    package, models = importlib.import_module(NAME), importlib.import_module(f"{NAME}.models")
    base = f"http://127.0.0.1:{api.settings.port}"
    client = package.AuthenticatedClient(base_url=base, token=made.json()["token"], timeout=30)
    body = models.MockInput(input_="hello")

    async with running_worker(api), client:
        now = await _function("predict")(client=client, body=body)
        assert (now.status_code, type(now.parsed), now.parsed.input_) == (200, models.MockOutput, "hello")

        queued = await _function("predict")(client=client, body=body, prefer="respond-async")
        assert (queued.status_code, type(queued.parsed)) == (202, models.Accepted)
        read = await _function("read_prediction")(queued.parsed.prediction_id, client=client, wait=30.0)
        assert (type(read.parsed), read.parsed.status) == (models.Prediction, models.Status.SUCCEEDED)
        assert read.parsed.output == now.parsed.to_dict()
        assert read.parsed.created_at <= read.parsed.finished_at

        listed = await _function("list_predictions")(client=client, status=models.Status.SUCCEEDED)
        assert read.parsed.prediction_id in [each.prediction_id for each in listed.parsed.predictions]

        unknown = await _function("read_prediction")("0" * 32, client=client)
        assert (type(unknown.parsed), unknown.parsed.code) == (models.Problem, "unknown_prediction")

    async with package.Client(base_url=base) as stranger:
        refused = await _function("predict")(client=stranger, body=body)
    assert (refused.status_code, refused.parsed.code) == (401, "unauthorized")


async def test_its_types_have_one_name_each(generated: Path) -> None:
    """No type of a parameter or an answer is made up anew for each operation, and each call reads well."""
    models = {path.stem for path in (generated / "models").glob("*.py")}
    calls = {path.stem for path in (generated / "api").glob("*/*.py")}
    assert {"status", "on_disconnect", "action", "prediction", "problem"} <= models
    made_up = {name for name in models for call in calls - {"__init__"} if name.startswith(f"{call}_")}
    assert made_up == {"openapi_response_200", "health_models"}  # two objects whose keys nobody knows before
    assert {"predict", "read_prediction", "cancel_prediction", "list_models", "create_key"} <= calls

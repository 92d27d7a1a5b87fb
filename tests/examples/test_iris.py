"""The classifier trained in ``examples/iris`` says what scikit-learn says, served from its manifest: now and later."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.examples.example import EXAMPLES, Example, later, near, now
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.runtimes.from_manifest import runtime_of

LABELS = ["setosa", "versicolor", "virginica"]
IRISES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("held_out_irises.json").read_text(encoding="utf-8"))
"""What training never saw: measurements, the kind it is, and scikit-learn's own probabilities."""


def measured(iris: dict[str, Any]) -> dict[str, float]:
    """What a caller sends of it."""
    return {name: value for name, value in iris.items() if name not in {"kind", "probabilities"}}


def right(iris: dict[str, Any]) -> Any:
    """The answer that scikit-learn gives."""
    probabilities = {label: near(value) for label, value in zip(LABELS, iris["probabilities"], strict=True)}
    return {"label": iris["kind"], "probabilities": probabilities}


async def test_it_answers_as_scikit_learn_does(tmp_path: Path) -> None:
    """By the README's commands: all flowers that training never saw, what is refused, and what the API says of it."""
    example = Example("iris")
    path = "/models/iris/predict"
    async with example.served(tmp_path) as client:
        for asked in example.asked():
            assert await now(client, asked.path, asked.body) == near(asked.answer)
            assert await later(client, asked.path, asked.body) == near(asked.answer)
        for ask in (now, later):
            answers = await asyncio.gather(*(ask(client, path, measured(iris)) for iris in IRISES))
            assert answers == [right(iris) for iris in IRISES]
        refused = await client.post(path, json=measured(IRISES[0]) | {"petal_width": [0.2]})
        assert refused.status_code == 422
        assert refused.json()["detail"] == "Field 'petal_width' must be a number, got array."
        openapi = (await client.get("/docs/openapi.json")).json()
        OpenAPIV31SpecValidator(openapi).validate()
        body = openapi["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        validator: Any = Draft202012Validator({**body["schema"], "components": openapi["components"]})
        validator.validate(measured(IRISES[0]))
        assert not validator.is_valid(measured(IRISES[0]) | {"petal_width": "wide"})


async def test_a_batch_answers_as_single_predictions_do() -> None:
    """The same numbers to the last place that matters, in the order of the callers."""
    table = tomllib.loads((EXAMPLES / "iris" / "zypher.toml").read_text(encoding="utf-8"))["model"]["iris"]
    manifest = msgspec.convert({"name": "iris", **table}, ModelManifest)
    served = ModelRegistry().add_runtime(runtime_of(manifest, EXAMPLES / "iris"))
    await served.load()
    assert served.error is None
    inputs = [served.convert(measured(iris)) for iris in IRISES]
    single = [msgspec.to_builtins(await served.run(input, timeout_s=20)) for input in inputs]
    batch = await asyncio.gather(*(served.run(input, timeout_s=20) for input in inputs))
    for one, other, iris in zip(single, batch, IRISES, strict=True):
        assert msgspec.to_builtins(other) == {
            "label": iris["kind"],
            "probabilities": pytest.approx(one["probabilities"], abs=1e-6),
        }
    await served.unload()

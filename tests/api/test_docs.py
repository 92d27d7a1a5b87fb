"""``/docs`` and the OpenAPI document: complete, true, and needing no network."""

import asyncio
import re
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.browser import chromium
from tests.api.running import RunningApi
from zypher_api.app import create_app
from zypher_api.openapi import document, operations
from zypher_api.problems import KINDS
from zypher_jobs.settings import Settings

Json = dict[str, Any]

ASSETS = "/docs/{file}"
"""The one route that is no part of the API."""


@pytest.fixture
def openapi(api_settings: Settings) -> Json:
    """The document, as served."""
    return document(operations(create_app(api_settings)), version="1.2.3")


def each_operation(openapi: Json) -> list[tuple[str, Json]]:
    """``("GET /path", operation)``."""
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


def check_against_schema(openapi: Json, schema: Json, value: Any) -> None:
    """Assert that the value fits, with the document's components."""
    validator = cast("Any", Draft202012Validator({**schema, "components": openapi["components"]}))
    validator.validate(value)


def examples(media: Json) -> list[Any]:
    """Every example of one media type."""
    return [media["example"]] if "example" in media else [each["value"] for each in media["examples"].values()]


def test_the_document_is_valid_openapi(openapi: Json) -> None:
    """3.1, by the specification's own schema."""
    OpenAPIV31SpecValidator(cast("Any", openapi)).validate()


def test_every_route_is_documented(api_settings: Settings, openapi: Json) -> None:
    """And nothing that is not there."""
    app = create_app(api_settings)

    assert {route.path_format for route in app.routes} - {ASSETS} == set(openapi["paths"])


def test_every_operation_says_what_it_is_for(openapi: Json) -> None:
    """A summary, a tag that is described, and an id that no other has."""
    described = [operation for _, operation in each_operation(openapi)]

    assert all(operation["summary"] and operation["operationId"] for operation in described)
    assert {tag for operation in described for tag in operation["tags"]} == {tag["name"] for tag in openapi["tags"]}
    assert len({operation["operationId"] for operation in described}) == len(described)


def test_every_response_has_its_schema_and_examples_that_fit_it(openapi: Json) -> None:
    """Each status of each operation; errors are problems whose status is the response's."""
    for name, operation in each_operation(openapi):
        assert {"500"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            if status in ("204", "303"):
                continue
            assert response["content"], (name, status)
            for media_type, media in response["content"].items():
                for example in examples(media):
                    check_against_schema(openapi, media["schema"], example)
                    if media_type == "application/problem+json":
                        assert example["status"] == int(status)
                if media["schema"] != {} or "model" not in name:
                    assert media["schema"], (name, status, media_type)


def test_every_request_body_and_parameter_has_an_example_that_fits(openapi: Json) -> None:
    """So that "Try it out" works as it stands."""
    for _, operation in each_operation(openapi):
        for media in operation.get("requestBody", {"content": {}})["content"].values():
            for example in examples(media):
                check_against_schema(openapi, media["schema"], example)
        for parameter in operation.get("parameters", []):
            assert parameter["description"]
            schema = parameter["schema"]
            check_against_schema(openapi, schema, parameter.get("example") or schema["examples"][0])


def test_each_model_has_its_own_path_with_its_own_types(openapi: Json) -> None:
    """The body and the output are the model's, not "any"."""
    digits = openapi["paths"]["/models/digits/predict"]["post"]
    mock = openapi["paths"]["/models/mock/predict"]["post"]

    assert (
        digits["requestBody"]["content"]["application/json"]["schema"]
        != (mock["requestBody"]["content"]["application/json"]["schema"])
    )
    assert openapi["components"]["schemas"]["MockInput"]["properties"]["input"]["maxLength"] == 10_000


def test_examples_of_problems_are_what_the_operation_itself_says(openapi: Json) -> None:
    """A model's own fields, a route's own parameters."""

    def fields(path: str, method: str) -> set[str]:
        responses = openapi["paths"][path][method]["responses"].values()
        problems = [r["content"].get("application/problem+json", {"examples": {}}) for r in responses]
        return {each["field"] for problem in problems for each in examples(problem) if "field" in each}

    assert fields("/models/digits/predict", "post") == {"$", "$.drawing", "Async-Mode"}
    assert fields("/predict/{prediction_id}", "get") == {"wait"}
    assert fields("/stats", "get") == {"latest"}


def test_fields_are_described_by_what_their_structs_say(openapi: Json) -> None:
    """Of the contracts, the problems and the models."""
    schemas = openapi["components"]["schemas"]

    assert schemas["Prediction"]["properties"]["attempts"]["description"] == "Attempts begun so far; the first is 1."
    assert schemas["Problem"]["properties"]["error"]["description"] == "The same as ``detail``."
    of_schemas = "\n".join(component.get("description", "") for component in schemas.values())
    assert "None" not in of_schemas
    assert "\n    " not in of_schemas


def test_every_kind_of_problem_has_an_example(openapi: Json) -> None:
    """But those that only the framework raises, which belong to no operation."""
    shown: set[str] = set()
    for _, operation in each_operation(openapi):
        for response in operation["responses"].values():
            shown |= set(response.get("content", {}).get("application/problem+json", {}).get("examples", {}))

    internal = {"prediction_failed", "attempts_exhausted", "unavailable", "not_found", "method_not_allowed"}
    assert shown == set(KINDS) - internal


async def test_what_the_api_answers_fits_what_it_says(api: RunningApi, openapi: Json) -> None:
    """Real answers of every status that can be had without an outage, against the document."""
    body = {"input": "hello"}
    queued = await api.post("/predict", json=body, headers={"Async-Mode": "true"})
    answers = {
        ("/predict", "post"): [
            queued,
            await api.post("/predict", json=body),
            await api.post("/predict", content=b"{"),
            await api.post("/predict", json={}),
            await api.post("/predict", json={"input": "a" * 1_100_000}),
            await api.post("/predict", content=b"hello", headers={"Content-Type": "text/plain"}),
        ],
        ("/models/{name}/predict", "post"): [await api.post("/models/nope/predict", json=body)],
        ("/models/raises/predict", "post"): [await api.post("/models/raises/predict", json={"text": "x"})],
        ("/models/not-loaded/predict", "post"): [await api.post("/models/not-loaded/predict", json={})],
        ("/predict/{prediction_id}", "get"): [
            await api.get(queued.headers["location"]),
            await api.get("/predict/" + "0" * 32),
            await api.get("/predict/!"),
        ],
        ("/predict/{prediction_id}/events", "get"): [
            await api.get("/predict/" + "0" * 32 + "/events"),
            await api.get(queued.headers["location"] + "/events", headers={"Last-Event-ID": "x"}),
        ],
        ("/predict/{prediction_id}", "delete"): [
            await api.delete("/predict/" + "0" * 32),
            await api.delete("/predict/a%20b"),
            await api.delete(queued.headers["location"]),
        ],
        ("/predictions", "get"): [await api.get("/predictions"), await api.get("/predictions?limit=0")],
        ("/models", "get"): [await api.get("/models")],
        ("/models/{name}", "get"): [await api.get("/models/digits"), await api.get("/models/nope")],
        ("/health", "get"): [await api.get("/health")],
        ("/health/live", "get"): [await api.get("/health/live")],
        ("/health/ready", "get"): [await api.get("/health/ready")],
        ("/stats", "get"): [await api.get("/stats"), await api.get("/stats?latest=x")],
        ("/", "get"): [await api.get("/")],
        ("/docs/openapi.json", "get"): [await api.get("/docs/openapi.json")],
    }
    for (path, method), given in answers.items():
        for answer in given:
            response = openapi["paths"][path][method]["responses"][str(answer.status_code)]
            media = response["content"][answer.headers["content-type"]]
            check_against_schema(openapi, media["schema"], answer.json())


async def test_the_root_sends_browsers_to_the_pages(api: RunningApi) -> None:
    """Programs get links."""
    browser = await api.get("/", headers={"Accept": "text/html,application/xhtml+xml;q=0.9"})

    assert (browser.status_code, browser.headers["location"]) == (303, "/docs")
    assert (await api.get("/")).json()["docs"] == "/docs"


@pytest.mark.parametrize(("path", "count"), [("/docs", 6), ("/docs/rapidoc", 5)])
async def test_the_page_names_only_files_of_this_server(api: RunningApi, path: str, count: int) -> None:
    """Each of them is there, and the browser is told to load nothing else."""
    page = await api.get(path)

    links = re.findall(r'(?:src|href|spec-url)="([^"]*)"', page.text)
    assert len(links) == count
    assert all(link.startswith("/docs") for link in links)
    for link in links:
        assert (await api.get(link)).status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'self'")


async def test_a_browser_without_a_network_shows_every_route(api: RunningApi, tmp_path: Path) -> None:
    """Swagger UI renders the whole document in headless Chromium that can reach nothing but this server."""
    process = await asyncio.create_subprocess_exec(
        chromium(),
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=15000"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        f"http://127.0.0.1:{api.settings.port}/docs",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    dom = out.decode()

    shown = {path.replace("\u200b", "") for path in re.findall(r'data-path="([^"]+)"', dom)}
    served = (await api.get("/docs/openapi.json")).json()
    assert shown == {*served["paths"], *served["webhooks"]}
    assert "Failed to load" not in dom

"""The API's contract: what callers rely on changes only when somebody means it."""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.api import contract

Json = dict[str, Any]


@pytest.fixture(scope="module")
def written() -> Json:
    """As it was when somebody last wrote it down."""
    return msgspec.json.decode(contract.FILE.read_bytes())


@pytest.fixture(scope="module")
def current() -> Json:
    """As it is."""
    return contract.current()


def test_no_caller_of_yesterday_breaks(written: Json, current: Json) -> None:
    """If it is meant: say so under "Changed" in CHANGELOG.md, and run `just contract`."""
    assert contract.breaks(written, current) == []


def test_what_was_added_is_written_down(written: Json, current: Json) -> None:
    """With `just contract`: from then on, callers may rely on it."""
    assert written == current


def _predict(openapi: Json) -> Json:
    return openapi["paths"]["/predict"]["post"]


CHANGES: list[tuple[Callable[[Json], object], str]] = [
    (lambda api: api["paths"].pop("/predict"), "POST /predict: is gone."),
    (lambda api: _predict(api)["responses"].pop("202"), "POST /predict: 202 is gone."),
    (lambda api: _predict(api)["responses"]["202"]["headers"].pop("Location"), "202: header 'Location' is gone."),
    (
        lambda api: _predict(api)["parameters"].append({"in": "header", "name": "Token", "required": True}),
        "POST /predict: parameter 'Token' is required now.",
    ),
    (lambda api: api["components"]["schemas"]["MockInput"]["properties"]["input"].update(maxLength=5), "is 5."),
    (lambda api: api["components"]["schemas"]["MockInput"]["required"].append("more"), ".more: is required now."),
    (lambda api: api["components"]["schemas"]["MockOutput"]["properties"].pop("result"), ".result: is gone."),
    (lambda api: api["components"]["schemas"]["OnDisconnect"]["enum"].remove("cancel"), "'On-Disconnect': enum was"),
    (lambda api: api["components"]["schemas"]["ApiKeyRequest"]["properties"]["scopes"].update(type="string"), "string"),
    (lambda api: api["paths"]["/predict/{prediction_id}"].pop("delete"), "DELETE /predict/{prediction_id}: is gone."),
    (lambda api: _predict(api)["responses"]["200"]["content"].pop("text/event-stream"), "text/event-stream is gone."),
    (lambda api: api["components"]["schemas"]["MockOutput"]["required"].remove("result"), "may be missing now."),
    (lambda api: api["components"]["schemas"]["MockOutput"]["properties"]["result"].update(type="integer"), "integer"),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES)
def test_each_kind_of_break_is_seen(current: Json, change: Callable[[Json], object], sentence: str) -> None:
    """And named by its place."""
    changed = copy.deepcopy(current)
    change(changed)
    found = contract.breaks(current, changed)
    assert any(sentence in each for each in found), found


def test_additions_break_nobody(current: Json) -> None:
    """A call, an optional parameter, a member of an answer, a wider bound."""
    changed = copy.deepcopy(current)
    changed["paths"]["/new"] = {"get": {"responses": {"200": {}}}}
    _predict(changed)["parameters"].append({"in": "header", "name": "Hint", "schema": {"type": "string"}})
    changed["components"]["schemas"]["MockOutput"]["properties"]["more"] = {"type": "string"}
    changed["components"]["schemas"]["MockInput"]["properties"]["input"]["maxLength"] = 20_000
    assert contract.breaks(current, changed) == []

"""Attribute docstrings of Structs in the OpenAPI document."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
import pytest

from zypher_api.field_docs import describe_fields, structs_in
from zypher_jobs.contracts.model import BatchingInfo, ModelInfo
from zypher_jobs.contracts.prediction import PastAttempt, Prediction, PredictionFailure

T = TypeVar("T")


class Leaf(msgspec.Struct):
    """The end."""

    green: bool
    """Whether it is; ``None`` never."""


class Branch(Leaf, rename="camel"):
    """Has more."""

    more_branches: "list[Branch]"
    """Nearer to the sky,
    and thinner."""
    leaves: dict[str, Leaf | None] = {}
    silent: int = 0
    own: Annotated[int, msgspec.Meta(description="From Meta.")] = 0
    """From below."""


class Box(msgspec.Struct, Generic[T]):
    """Of anything."""

    content: T
    """What is in it."""


def described(struct: Any) -> dict[str, str]:
    """Property → description."""
    (reference,), components = msgspec.json.schema_components([struct], ref_template="{name}")
    schema = components[reference["$ref"]]
    describe_fields(struct, schema)
    return {name: part["description"] for name, part in schema["properties"].items() if "description" in part}


def test_what_stands_below_a_field_describes_it() -> None:
    """Under its name in JSON, inherited ones too, in JSON's words; what the field says itself counts more."""
    assert described(Branch) == {
        "green": "Whether it is; ``null`` never.",
        "moreBranches": "Nearer to the sky,\nand thinner.",
        "own": "From Meta.",
    }


def test_a_generic_struct_is_described_at_each_use() -> None:
    """By the one class that all uses come from."""
    assert described(Box[int]) == described(Box[Leaf]) == {"content": "What is in it."}


def test_a_struct_without_source_has_no_descriptions() -> None:
    """Made at run time: no failure."""
    assert described(msgspec.defstruct("Made", [("field", int)])) == {}


@pytest.mark.parametrize(
    ("of", "structs"),
    [
        ([Any, str, dict[str, Any]], set[Any]()),
        ([Leaf], {Leaf}),
        ([list[Branch] | None], {Branch, Leaf}),
        ([tuple[Leaf, ...], Box[Leaf]], {Leaf, Box[Leaf]}),
        ([Prediction, dict[str, ModelInfo]], {Prediction, PastAttempt, PredictionFailure, ModelInfo, BatchingInfo}),
    ],
)
def test_structs_are_found_wherever_they_stand(of: list[Any], structs: set[Any]) -> None:
    """In each other, in collections, in unions, in themselves."""
    assert set(structs_in(of)) == structs

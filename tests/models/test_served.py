"""Decoding: every kind of bad input gets its sentence, its field and its class. Encoding: what JSON cannot hold."""

from enum import Enum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from zypher_jobs.errors import InvalidInput, MalformedInput, ModelError
from zypher_jobs.models import Model, ModelRegistry, ServedModel


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Item(msgspec.Struct, forbid_unknown_fields=True):
    weight: Annotated[float, Meta(ge=0, lt=100)]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    input: Annotated[str, Meta(max_length=10, pattern=r"\S")]
    items: Annotated[list[Item], Meta(max_length=2)] = []
    code: Annotated[str, Meta(min_length=3, max_length=3)] = "abc"
    tags: Annotated[list[str], Meta(min_length=1)] = msgspec.field(default_factory=lambda: ["x"])
    size: Size = Size.SMALL
    counts: dict[str, int] = {}
    pin: Annotated[str, Meta(pattern="^[0-9]*$", description="Digits only.")] = ""
    maybe: int | None = None
    anything: Any = None

    def __post_init__(self) -> None:
        if self.maybe == 13:
            raise ValueError("13 is never in stock")


class Shop(Model[Order, dict[str, Any]]):
    input_example = Order(input="tea")

    def predict(self, input: Order) -> dict[str, Any]:
        return {}


@pytest.fixture
def shop() -> ServedModel:
    """A served model whose input has every kind of field."""
    return ModelRegistry().add(Shop)


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        (b"{}", "$.input", "Field 'input' is missing."),
        (b'{"input": 5}', "$.input", "Field 'input' must be a string, got int."),
        (b'{"input": null}', "$.input", "Field 'input' must be a string, got null."),
        (b'{"input": ["a"]}', "$.input", "Field 'input' must be a string, got array."),
        (b'{"input": ""}', "$.input", "Field 'input' must not be blank."),
        (b'{"input": " \\n\\t "}', "$.input", "Field 'input' must not be blank."),
        (b'{"input": "01234567890"}', "$.input", "Field 'input' must have at most 10 characters."),
        (
            b'{"input": "a", "foo": 1}',
            "$.foo",
            "Field 'foo' is not known here; known: input, items, code, tags, size, counts, pin, maybe, anything.",
        ),
        (b'{"input": "a", "items": {}}', "$.items", "Field 'items' must be a list, got object."),
        (b'{"input": "a", "items": [{}]}', "$.items[0].weight", "Field 'items[0].weight' is missing."),
        (
            b'{"input": "a", "items": [{"weight": 1, "foo": 1}]}',
            "$.items[0].foo",
            "Field 'items[0].foo' is not known here; known: weight.",
        ),
        (
            b'{"input": "a", "items": [{"weight": -1}]}',
            "$.items[0].weight",
            "Field 'items[0].weight' must be at least 0.0.",
        ),
        (
            b'{"input": "a", "items": [{"weight": 100}]}',
            "$.items[0].weight",
            "Field 'items[0].weight' must be less than 100.0.",
        ),
        (
            b'{"input": "a", "items": [{"weight": 1}, {"weight": 1}, {"weight": 1}]}',
            "$.items",
            "Field 'items' must have at most 2 items.",
        ),
        (b'{"input": "a", "code": "ab"}', "$.code", "Field 'code' must have exactly 3 characters."),
        (b'{"input": "a", "tags": []}', "$.tags", "Field 'tags' must not be empty."),
        (b'{"input": "a", "size": "huge"}', "$.size", "Field 'size' cannot be 'huge'; known: large, small."),
        (b'{"input": "a", "counts": {"x": "y"}}', "$.counts[...]", "Field 'counts[...]' must be an integer, got str."),
        (b'{"input": "a", "pin": "x"}', "$.pin", "Field 'pin' must match the pattern ^[0-9]*$: Digits only."),
        (b'{"input": "a", "maybe": "x"}', "$.maybe", "Field 'maybe' must be an integer or null, got str."),
        (b'{"input": "a", "maybe": 13}', "$", "The input cannot be used: 13 is never in stock."),
        (b"[]", "$", "The input must be an object, got array."),
        (b"null", "$", "The input must be an object, got null."),
        (b'"text"', "$", "The input must be an object, got str."),
    ],
)
def test_an_input_that_does_not_fit_says_why(shop: ServedModel, body: bytes, field: str, sentence: str) -> None:
    """One sentence that names the field and the way out; the same from JSON and from stored values."""
    with pytest.raises(InvalidInput) as refused:
        shop.decode(body)
    assert type(refused.value) is InvalidInput
    assert (refused.value.field, refused.value.message) == (field, sentence)

    with pytest.raises(InvalidInput) as refused:
        shop.convert(msgspec.json.decode(body))
    assert (refused.value.field, refused.value.message) == (field, sentence)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", 'The body is empty; send JSON such as {"input":"tea"'),
        (b" \r\n", 'The body is empty; send JSON such as {"input":"tea"'),
        (b"input=a", 'The body is not valid JSON (invalid character (byte 0)); send JSON such as {"input":"tea"'),
        (b'{"input": "a"', "The body is not valid JSON (Input data was truncated); send"),
        (b'{"input": "a"} {}', "The body is not valid JSON (trailing characters (byte 16)); send"),
        (b"{'input': 'a'}", "The body is not valid JSON"),
        (b'{"input": 5', "The body is not valid JSON (Input data was truncated); send"),
        (b'{"input": "a\xff"}', "The body is not valid UTF-8; send"),
        (b"\x00", "The body is not valid JSON"),
        (b'{"input": "\\ud800"}', "The body is not valid JSON"),
        (b'{"input": "a", "anything": NaN}', "The body is not valid JSON"),
        (b'{"input": "a", "anything": ' + b"[" * 200_000, "The body is nested too deeply."),
    ],
)
def test_a_body_that_is_no_json_is_told_apart(shop: ServedModel, body: bytes, sentence: str) -> None:
    """``MalformedInput``, with an example of the model's own, also when the schema was broken first."""
    with pytest.raises(MalformedInput) as refused:
        shop.decode(body)
    assert refused.value.message.startswith(sentence)
    assert refused.value.field == "$"


def test_a_good_input_is_the_models_type(shop: ServedModel) -> None:
    """From JSON and from plain values alike."""
    order = Order(input="tea", items=[Item(weight=1)], size=Size.LARGE)
    assert shop.decode(b'{"input": "tea", "items": [{"weight": 1}], "size": "large"}') == order
    assert shop.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(order))) == order


def test_an_output_that_json_cannot_hold_is_the_models_error(shop: ServedModel) -> None:
    """The model returned it, so the prediction fails and names the model."""
    with pytest.raises(ModelError, match=r"Model 'shop' returned what JSON cannot hold: .*complex"):
        shop.encode({"value": 1j})


def test_info_holds_schemas_and_examples(shop: ServedModel) -> None:
    """What ``GET /models/shop`` shows; not ready, with the reason, until it has loaded."""
    info = shop.info
    assert (info.name, info.version, info.ready, info.error) == ("shop", "1", False, "it is still loading")
    assert info.input_schema["properties"]["items"]["items"] == {"$ref": "#/$defs/Item"}
    assert info.input_schema["$defs"]["Item"]["required"] == ["weight"]
    assert info.input_example["input"] == "tea"

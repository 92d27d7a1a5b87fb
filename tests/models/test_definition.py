"""What a model's class says of itself, and how a class that cannot be served is refused."""

import typing
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated, Any, Generic, List, Literal, TypeVar  # noqa: UP035
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from zypher_jobs.errors import ModelDefinitionError
from zypher_jobs.models import Model
from zypher_jobs.models.definition import define

T = TypeVar("T")


class Text(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Count(msgspec.Struct):
    words: int


class WordCount(Model[Text, Count]):
    """Counts the words of a text.

    And more that nobody needs to know.
    """

    def predict(self, inputs: list[Text]) -> list[Count]:
        return [Count(words=len(each.text.split())) for each in inputs]


class OneAtATime(Model[Text, Count]):
    def predict(self, input: Text) -> Count:
        return Count(words=len(input.text.split()))


class Waiting(Model[Text, Count]):
    async def predict(self, inputs: list[Text]) -> list[Count]:
        return [Count(words=len(each.text.split())) for each in inputs]


class Child(WordCount):
    name = "child"


def test_a_class_with_predict_is_enough() -> None:
    """Name, version, description and examples have defaults; the types come from ``Model[In, Out]``."""
    definition = define(WordCount)
    assert definition.name == "word-count"
    assert definition.version == "1"
    assert definition.description == "Counts the words of a text."
    assert (definition.input_type, definition.output_type) == (Text, Count)
    assert definition.input_schema["properties"] == {"text": {"type": "string"}}
    assert definition.input_example == {"text": "hello"}
    assert definition.output_example == {"words": 1}


@pytest.mark.parametrize(
    ("model", "takes_many", "is_async"), [(WordCount, True, False), (OneAtATime, False, False), (Waiting, True, True)]
)
def test_the_annotations_choose_the_form(model: type[Model[Text, Count]], takes_many: bool, is_async: bool) -> None:
    """A list in the annotation means many at once; ``async def`` means on the event loop."""
    definition = define(model)
    assert (definition.takes_many, definition.is_async) == (takes_many, is_async)


class OlderSpelling(Model[Text, Count]):
    def predict(self, inputs: List[Text]) -> List[Count]:  # noqa: UP006
        return []


class OlderStream(Model[Text, str]):
    def predict(self, input: Text) -> typing.Iterator[str]:
        yield input.text


class OlderAsyncStream(Model[Text, str]):
    async def predict(self, input: Text) -> typing.AsyncGenerator[str, None]:
        yield input.text


def test_the_older_spelling_of_annotations_is_understood() -> None:
    """``typing.List`` and its like are what the standard library has under better names."""
    assert define(OlderSpelling).takes_many
    assert define(OlderStream).streams
    assert define(OlderAsyncStream).streams


def test_a_subclass_of_a_model_is_a_model() -> None:
    """Types are found in the nearest base that names them."""
    assert define(Child).name == "child"
    assert define(Child).input_type is Text


@pytest.mark.parametrize(
    ("class_name", "name"),
    [("HTMLParser", "html-parser"), ("Resnet50", "resnet50"), ("A", "a"), ("GPT2Small", "gpt2-small")],
)
def test_default_names_are_kebab_case(class_name: str, name: str) -> None:
    """The class's name, in the form that paths like."""
    assert define(type(class_name, (WordCount,), {})).name == name


class NoTypes(Model):  # pyright: ignore[reportMissingTypeArgument] the mistake under test
    def predict(self, inputs: list[Text]) -> list[Count]:
        return []


class OpenTypes(Model[T, Count], Generic[T]):
    def predict(self, inputs: list[Any]) -> list[Count]:
        return []


class NoPredict(Model[Text, Count]):
    pass


class NoAnnotations(Model[Text, Count]):
    def predict(self, inputs):  # pyright: ignore the mistake under test
        return None


class OtherAnnotations(Model[Text, Count]):
    def predict(self, inputs: list[Count]) -> list[Count]:
        return inputs


class HalfMany(Model[Text, Count]):
    def predict(self, inputs: list[Text]) -> Count:
        return Count(words=1)


class TwoArguments(Model[Text, Count]):
    def predict(self, inputs: list[Text], temperature: float) -> list[Count]:  # pyright: ignore the mistake under test
        return []


class Yields(Model[Text, Count]):
    def predict(self, inputs: list[Text]) -> Iterator[Count]:
        yield Count(words=1)


class BadName(WordCount):
    name = "Word Count/2"


class BadVersion(WordCount):
    version = ""


class BadExample(WordCount):
    input_example = {"txt": "hello"}  # noqa: RUF012 as a user may write it


class Opaque:
    pass


class NeedsArguments(WordCount):
    def __init__(self, path: str) -> None:
        self.path = path


class LoadsOnTheLoop(WordCount):
    async def load(self) -> None:  # pyright: ignore the mistake under test
        pass


class LoadsAFile(WordCount):
    def load(self, path: str) -> None:  # pyright: ignore the mistake under test
        pass


class Unresolved(Model[Text, Count]):
    def predict(self, input: "Txt") -> Count:  # noqa: F821  # pyright: ignore the mistake under test
        return Count(words=0)


class OneYieldsMany(Model[Text, Count]):
    def predict(self, input: Text) -> list[Count]:
        return []


class YieldsOther(Model[Text, Count]):
    async def predict(self, input: Text) -> AsyncIterator[Text]:
        yield input


class LimitedOne(OneAtATime):
    max_batch_size = 8


class LimitedThread(WordCount):
    memory_limit_mb = 512


class NoSchema(Model[Opaque, Count]):
    def predict(self, inputs: list[Opaque]) -> list[Count]:
        return []


class Coded(msgspec.Struct):
    code: Annotated[str, Meta(pattern="^[A-Z]{3}-[0-9]{4}$")]


class Undrawable(Model[Coded, Count]):
    def predict(self, inputs: list[Coded]) -> list[Count]:
        return []


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (NoTypes, "say its types: class NoTypes(Model[YourInput, YourOutput])"),
        (OpenTypes, "its types must be real ones"),
        (NoPredict, "it has no predict; write `def predict(self, inputs: list[Text]) -> list[Count]` or `def predict"),
        (NoAnnotations, "the annotations of predict do not fit its types; write `def predict"),
        (OtherAnnotations, "the annotations of predict do not fit its types; write `def predict"),
        (HalfMany, "the annotations of predict do not fit its types; write `def predict"),
        (TwoArguments, "predict must take exactly one argument beside self; write `def predict"),
        (Yields, "since it yields, write `def predict(self, input: Text) -> Iterator[Count]`"),
        (BadName, "the name 'Word Count/2' cannot be part of a path; set `name` to"),
        (BadVersion, "the version '' must be text such as '1'"),
        (BadExample, "`input_example` does not fit Text: Object contains unknown field `txt`"),
        (
            NeedsArguments,
            "its __init__ must take no argument: Zypher makes the instance; read what it needs in `load`",
        ),
        (LoadsOnTheLoop, "load must be a plain `def`: it is called in a thread"),
        (LoadsAFile, "Zypher calls load without arguments; write `def load(self) -> None`"),
        (Unresolved, "an annotation of predict cannot be resolved (name 'Txt' is not defined); write `def predict"),
        (OneYieldsMany, "the annotations of predict do not fit its types; write `def predict"),
        (YieldsOther, "since it yields, write `async def predict(self, input: Text) -> AsyncIterator[Count]`"),
        (LimitedOne, "`max_batch_size` is for a predict that takes many; this one takes one at a time"),
        (LimitedThread, '`memory_limit_mb` needs `isolation = "process"`: a thread cannot be limited'),
        (NoSchema, "its input type Opaque cannot be read from JSON"),
        (Undrawable, "no example can be derived from Coded (Expected `str` matching regex"),
    ],
)
def test_a_class_that_cannot_be_served_is_refused(model: type[Model[Any, Any]], reason: str) -> None:
    """The sentence names file and line, the class, what is wrong and the way out."""
    with pytest.raises(ModelDefinitionError) as refused:
        define(model)
    assert reason in refused.value.message
    assert f"model {model.__name__}: " in refused.value.message
    path, line, _ = refused.value.message.split(":", 2)
    assert path == __file__
    assert int(line) > 1


@pytest.mark.parametrize(
    ("attribute", "value", "sentence"),
    [
        ("name", 5, "must be text; it is 5"),
        ("version", 2, "must be text such as '1' or '2024-05'; it is 2"),
        ("description", None, "must be text; it is None"),
        ("max_batch_size", 0, "must be a whole number of at least 1, or None; it is 0"),
        ("max_batch_size", 8.5, "must be a whole number of at least 1, or None; it is 8.5"),
        ("max_batch_size", "8", "must be a whole number of at least 1, or None; it is '8'"),
        ("max_batch_size", True, "must be a whole number of at least 1, or None; it is True"),
        ("max_wait_ms", -1, "must be a number of at least 0, or None; it is -1"),
        ("max_wait_ms", float("nan"), "must be a number of at least 0, or None; it is nan"),
        ("concurrency", 0, "must be a whole number of at least 1, or None; it is 0"),
        ("isolation", "proces", "must be 'thread' or 'process'; it is 'proces'"),
        ("memory_limit_mb", -5, "must be a whole number of at least 1, or None; it is -5"),
        ("cache_s", None, "must be a number of seconds, 0 for no cache; it is None"),
        ("cache_mb", 1.5, "must be a whole number of at least 1; it is 1.5"),
        ("retries", 3, "must be a zypher_jobs.models.RetryPolicy; it is 3"),
    ],
)
def test_an_attribute_that_cannot_be_is_refused(attribute: str, value: Any, sentence: str) -> None:
    """The sentence says what it is and what it may be."""
    with pytest.raises(ModelDefinitionError) as refused:
        define(type("Wrong", (WordCount,), {attribute: value, "__module__": __name__}))
    assert refused.value.message.endswith(f": model Wrong: `{attribute}` {sentence}.")


class Leaf(msgspec.Struct, tag="leaf"):
    at: datetime


class Node(msgspec.Struct, tag="node"):
    children: list["Node | Leaf"]
    parent: "Node | None" = None


class Everything(msgspec.Struct):
    id: UUID
    when: datetime
    node: Node
    size: Literal["small", "large"]
    low: Annotated[int, Meta(ge=5)]
    above: Annotated[int, Meta(gt=5)]
    high: Annotated[float, Meta(le=-1)]
    below: Annotated[float, Meta(lt=0)]
    steps: Annotated[int, Meta(multiple_of=7)]
    long: Annotated[str, Meta(min_length=12)]
    short: Annotated[str, Meta(max_length=2)]
    three: Annotated[list[float], Meta(min_length=3)]
    none: Annotated[list[float], Meta(max_length=0)]
    pair: tuple[int, str]
    named: dict[str, bool]
    maybe: int | None
    blob: bytes
    anything: Any
    shown: Annotated[str, Meta(pattern="^[a-z]+-[a-z]+$", examples=["ready-made"])]
    flag: bool = False


class ServesEverything(Model[Everything, Everything]):
    def predict(self, input: Everything) -> Everything:
        return input


def test_derived_examples_fit_their_types() -> None:
    """Bounds, lengths, formats, unions, tuples, recursion and given examples are kept to."""
    example = define(ServesEverything).input_example
    assert msgspec.convert(example, Everything)
    assert example["low"] == 5
    assert example["shown"] == "ready-made"
    assert example["flag"] is False
    assert len(msgspec.json.encode(example)) < 20_000

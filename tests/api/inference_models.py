"""Models for the tests of the Open Inference Protocol."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from zypher_jobs.models import Model


class Kinds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field of each kind."""

    text: str
    count: int
    weight: Annotated[float, Meta(ge=0)]
    flag: bool
    raw: bytes
    row: list[float]
    grid: Annotated[list[Annotated[list[int], Meta(min_length=2, max_length=2)]], Meta(min_length=3, max_length=3)]
    choice: Literal["a", "b"] = "a"
    limit: int | None = None


class Repeats(Model[Kinds, Kinds]):
    """Gives back what it is given."""

    max_batch_size = 8
    batches: ClassVar[list[int]] = []

    def predict(self, inputs: list[Kinds]) -> list[Kinds]:
        """The same again."""
        Repeats.batches.append(len(inputs))
        for each in inputs:
            if each.text == "bad":
                raise ValueError("this one is bad")
        return inputs


class Plain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing but tensors, which come back as they went."""

    text: str
    count: int
    weight: Annotated[float, Meta(ge=0)]
    flag: bool
    row: list[float]
    grid: Annotated[list[Annotated[list[int], Meta(min_length=2, max_length=2)]], Meta(min_length=3, max_length=3)]


class Echoes(Model[Plain, Plain]):
    """Gives back what it is given; fails at ``bad``."""

    max_batch_size = 16
    batches: ClassVar[list[int]] = []

    def predict(self, inputs: list[Plain]) -> list[Plain]:
        """The same again."""
        Echoes.batches.append(len(inputs))
        for each in inputs:
            if each.text == "bad":
                raise ValueError("this one is bad")
        return inputs


class Vector(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers."""

    values: list[float]


class Doubles(Model[Vector, Vector]):
    """Each number twice as large; NaN for an empty list."""

    name = "doubles"

    def predict(self, input: Vector) -> Vector:
        """Twice as large."""
        return Vector(values=[2 * each for each in input.values])


class Grows(Model[int, list[int]]):
    """As many numbers as it is told."""

    def predict(self, input: int) -> list[int]:
        """From 0 up."""
        return list(range(input))


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One level down."""

    size: int


class Nested(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is no tensor."""

    parts: list[Part]
    either: int | str = 0


class Sums(Model[Nested, Nested]):
    """Takes and gives objects."""

    def predict(self, input: Nested) -> Nested:
        """The sum."""
        return Nested(parts=[Part(size=sum(each.size for each in input.parts))], either="sum")


class Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text, and how much of it."""

    prompt: str
    words: int = 3


class Story(Model[Prompt, str]):
    """Tells a story word by word; fails at the word ``boom``."""

    def predict(self, input: Prompt) -> Iterator[str]:
        """Each word."""
        for word in (input.prompt.split() * input.words)[: input.words]:
            if word == "boom":
                raise ValueError("boom")
            yield word + " "


class Shout(Model[Prompt, str]):
    """The same text, louder, whole."""

    def predict(self, input: Prompt) -> str:
        """In capitals."""
        return input.prompt.upper()


class Endless(Model[Prompt, str]):
    """Goes on until nobody wants it."""

    ended: asyncio.Event

    async def predict(self, input: Prompt) -> str:
        """Wait to be canceled."""
        try:
            await asyncio.sleep(3600)
        finally:
            Endless.ended.set()
        return ""

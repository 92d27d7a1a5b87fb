"""A model that gives its output in pieces, such as a language model's tokens."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from zypher_jobs.models import Model, context


class MyModelInput(msgspec.Struct, forbid_unknown_fields=True):
    """What a caller sends. What does not fit is refused before it reaches the model, by a sentence with the field."""

    text: Annotated[str, Meta(pattern=r"\S", max_length=100_000, description="Any text, not blank.")]


class MyModel(Model[MyModelInput, str]):
    """Says a text word by word."""

    # shown in the documentation, and run once before the model counts as ready
    input_example = MyModelInput(text="to be or not to be")

    def load(self) -> None:
        """Called once, before the first prediction: read your weights here."""

    def predict(self, input: MyModelInput) -> Iterator[str]:
        """Each piece goes to the caller at once; together they are the output."""
        words = input.text.split()
        for number, word in enumerate(words):
            context.check()  # ends here when nobody waits for the rest any more
            context.progress(number / len(words), f"word {number + 1} of {len(words)}")
            yield f" {word}" if number else word

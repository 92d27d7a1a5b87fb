"""A model that takes one input at a time, in a thread."""

from typing import Annotated

import msgspec
from msgspec import Meta

from zypher_jobs.models import Model


class MyModelInput(msgspec.Struct, forbid_unknown_fields=True):
    """What a caller sends. What does not fit is refused before it reaches the model, by a sentence with the field."""

    text: Annotated[str, Meta(pattern=r"\S", max_length=100_000, description="Any text, not blank.")]


class MyModelOutput(msgspec.Struct):
    """What a caller gets."""

    words: Annotated[int, Meta(ge=0, description="How many words the text has.")]


class MyModel(Model[MyModelInput, MyModelOutput]):
    """Counts the words of a text."""

    # shown in the documentation, and run once before the model counts as ready
    input_example = MyModelInput(text="to be or not to be")

    # several threads may be in predict at once; 1 for a model that cannot stand that
    concurrency = 4

    def load(self) -> None:
        """Called once, before the first prediction: read your weights here."""

    def predict(self, input: MyModelInput) -> MyModelOutput:
        """What it raises becomes a failed prediction that says so."""
        return MyModelOutput(words=len(input.text.split()))

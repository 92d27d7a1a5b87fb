"""A model that streams: each word goes to the caller as soon as it is there."""

import time
from collections.abc import Iterator

import msgspec

from zypher_jobs.models import Model, context


class Text(msgspec.Struct, forbid_unknown_fields=True):
    """What to say again."""

    text: str


class Repeat(Model[Text, str]):
    """Says a text again, word by word."""

    input_example = Text(text="so it goes")

    def predict(self, input: Text) -> Iterator[str]:
        """The words, with the space behind each."""
        words = input.text.split()
        context.log(f"{len(words)} words")
        for number, word in enumerate(words):
            context.check()  # ends here if nobody wants the rest
            context.progress(number / len(words), f"word {number + 1}")
            time.sleep(0.2)  # the work
            yield f"{word} "

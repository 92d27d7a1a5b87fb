"""A model that says back what it was told, in every way that a model can say something."""

import msgspec

from zypher_jobs.models import Model, context


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What to say, and how."""

    text: str
    fails: bool = False
    waits: bool = False


class Hostile(Model[Words, Words]):
    """Progress, log lines, output and error are the caller's."""

    def predict(self, input: Words) -> Words:
        context.progress(0.5, input.text[:1_000])
        context.log(input.text[:10_000])
        while input.waits:
            context.check()
        if input.fails:
            raise ValueError(input.text[:100_000])
        return input

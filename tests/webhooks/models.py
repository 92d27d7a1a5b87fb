"""A model for the tests of webhooks."""

import msgspec

from zypher_jobs.models import Model


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """How long an output."""

    chars: int


class Long(Model[Length, str]):
    """Says as much as is asked for."""

    def predict(self, input: Length) -> str:
        """So many letters."""
        return "x" * input.chars

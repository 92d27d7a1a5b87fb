"""Who takes part in the simulated system: models, callers, what is asked, and what goes wrong."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import PredictionFailure
from zypher_jobs.errors import ModelError
from zypher_jobs.queue.fingerprints import fingerprint_of

TEXTS = (
    "Where is my order?",
    "Café on the corner, 20:00",
    "The quick brown fox jumps over the lazy dog",
    "Привет, мир",
    "refund please",
    "Grüße aus Köln",
    "is this the real life",
    "42",
)
CALLERS: Mapping[str, int] = {"": 4, "c41f09b2": 3, "7be20d55": 2, "0a9d3e71": 1}
"""Ids of keys, and how often each asks."""
STEPS = ("reading the document", "splitting it", "embedding", "ranking", "writing the answer")
"""What a long prediction says that it is doing."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One way for a model to fail."""

    error: PredictionFailure
    traceback: str
    is_retried: bool = False
    lacks: str = ""
    """The member of the input whose absence is the reason; an input that has it never fails like this."""

    @property
    def fingerprint(self) -> str:
        """As the queue makes it."""
        return fingerprint_of(ModelError(self.error.message))

    def can_befall(self, given: Any) -> bool:
        """Whether that input can fail like this."""
        return not (self.lacks and isinstance(given, dict) and self.lacks in given)


def _failure(message: str, *lines: str, is_retried: bool = False, lacks: str = "") -> Failure:
    return Failure(
        error=PredictionFailure(code=ModelError.code, message=message),
        traceback="\n".join(["Traceback (most recent call last):", *lines, message]),
        is_retried=is_retried,
        lacks=lacks,
    )


MISSING = _failure(
    "ValueError: feature 'amount_eur' is missing",
    '  File "/srv/models/fraud.py", line 71, in predict',
    "    row = [self._feature(name, given) for name in self.names]",
    '  File "/srv/models/fraud.py", line 58, in _feature',
    "    raise ValueError(f\"feature '{name}' is missing\")",
    lacks="amount_eur",
)
UNREACHABLE = _failure(
    "ConnectionError: the feature store at 10.2.0.7:6566 refused the connection",
    '  File "/srv/models/fraud.py", line 66, in predict',
    "    history = self.store.read(given.account)",
    '  File "/srv/models/store.py", line 31, in read',
    '    raise ConnectionError(f"the feature store at {self.address} refused the connection")',
    is_retried=True,
)
NO_DIGIT = _failure(
    "ValueError: no digit in this image",
    '  File "/srv/models/digits.py", line 22, in predict',
    '    raise ValueError("no digit in this image")',
)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model."""

    name: str
    share: int = 0
    """Of a hundred callers who name no version."""
    median_s: float
    spread: float = 0.5
    failures: Sequence[tuple[float, Failure]] = ()
    """How often each happens, of all."""
    uploaded_s: float | None = None
    """When, in seconds after the start; ``None``: it comes from the settings."""

    def is_there(self, now_s: float) -> bool:
        """Whether it was uploaded by then."""
        return self.uploaded_s is None or self.uploaded_s <= now_s


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the system serves."""

    name: str
    description: str
    weight: int
    """How often it is asked for, beside the others."""
    versions: Sequence[Version]
    shadow: str | None = None
    input_example: Any
    output_example: Any
    ask: Callable[[random.Random], Any]
    """Makes an input."""
    schema: Mapping[str, Any]
    """JSON Schema of an input."""

    def version(self, name: str) -> Version:
        """The one of that name."""
        return next(each for each in self.versions if each.name == name)

    @property
    def shares(self) -> dict[str, float]:
        """Version → its share at the start."""
        return {version.name: float(version.share) for version in self.versions if version.share}


def _transaction(rng: random.Random) -> dict[str, Any]:
    amount = rng.randrange(100, 90_000) / 100
    return {
        "account": f"DE{rng.randrange(10**8):08}",
        "amount": amount,
        "country": rng.choice(("DE", "FR", "PL", "NL")),
    }


MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="mock",
            description="Answers with the SHA-256 of its input.",
            weight=6,
            versions=(Version(name="1", share=100, median_s=0.26, spread=0.55),),
            input_example="hello",
            output_example={"input": "hello", "result": hashlib.sha256(b"hello").hexdigest()},
            ask=lambda rng: rng.choice(TEXTS),
            schema={"type": "string", "maxLength": 2_000},
        ),
        Model(
            name="digits",
            description="Reads a digit of 8 by 8 grey pixels.",
            weight=3,
            versions=(
                Version(
                    name="1", share=100, median_s=0.11, spread=0.3, failures=((0.02, NO_DIGIT),), uploaded_s=-9_000,
                ),
                Version(name="2", median_s=0.09, spread=0.3, uploaded_s=-2_400),
            ),
            input_example=[0, 0, 5, 13, 9, 1, 0, 0] * 8,
            output_example={"digit": 0, "confidence": 0.98},
            ask=lambda rng: [rng.randrange(17) for _ in range(64)],
            schema={
                "type": "array", "minItems": 64, "maxItems": 64,
                "items": {"type": "integer", "minimum": 0, "maximum": 16},
            },
        ),
        Model(
            name="fraud-scorer",
            description="How likely it is that a payment is a fraud.",
            weight=3,
            versions=(
                Version(name="1", share=90, median_s=0.34, failures=((0.05, UNREACHABLE),), uploaded_s=-86_000),
                Version(
                    name="2", share=10, median_s=0.62, spread=0.8,
                    failures=((0.5, MISSING), (0.05, UNREACHABLE)), uploaded_s=-600,
                ),
                Version(name="3", median_s=0.21, uploaded_s=-200),
                Version(
                    name="4", median_s=0.66, spread=0.8,
                    failures=((0.6, MISSING), (0.05, UNREACHABLE)), uploaded_s=151.5,
                ),
            ),
            shadow="3",
            input_example={"account": "DE12345678", "amount": 129.9, "country": "DE"},
            output_example={"score": 0.07, "verdict": "accept"},
            ask=_transaction,
            schema={
                "type": "object",
                "properties": {
                    "account": {"type": "string"},
                    "amount": {"type": "number", "minimum": 0},
                    "amount_eur": {"type": "number", "minimum": 0},
                    "country": {"type": "string", "minLength": 2, "maxLength": 2},
                },
                "required": ["account", "amount", "country"],
                "additionalProperties": False,
            },
        ),
    )
}  # fmt: skip


def chosen(rng: random.Random, weights: Mapping[str, float]) -> str:
    """One of the names, as often as its weight says."""
    return rng.choices(tuple(weights), tuple(weights.values()))[0]

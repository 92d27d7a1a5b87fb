"""The models of ``just bench models`` for ``zypher api``, as users write them."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bench.peers.onnx_models import Digits, Encoder, OnnxModel, max_batch_size
from zypher_jobs.models import Model


class Drawing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    drawing: Annotated[list[Annotated[str, Meta(min_length=8, max_length=8)]], Meta(min_length=8, max_length=8)]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    digit: int
    probabilities: list[float]


class BenchDigits(Model[Drawing, Reading]):
    """``onnx_models.Digits``."""

    max_batch_size = max_batch_size()
    _model: OnnxModel

    def load(self) -> None:
        self._model = Digits()

    def predict(self, inputs: list[Drawing]) -> list[Reading]:
        return [Reading(**output) for output in self._model.run([each.drawing for each in inputs])]


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tokens: Annotated[list[int], Meta(min_length=1, max_length=512)]


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    embedding: list[float]


class BenchEncoder(Model[Tokens, Embedding]):
    """``onnx_models.Encoder``."""

    max_batch_size = max_batch_size()
    _model: OnnxModel

    def load(self) -> None:
        self._model = Encoder()

    def predict(self, inputs: list[Tokens]) -> list[Embedding]:
        return [Embedding(**output) for output in self._model.run([each.tokens for each in inputs])]


MODELS: dict[str, type[Model[Any, Any]]] = {"digits": BenchDigits, "encoder": BenchEncoder}

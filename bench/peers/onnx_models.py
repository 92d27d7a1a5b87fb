# pyright: basic, reportMissingImports=false
"""The two models of ``just bench models``, as each of the servers runs them: plain values in, plain values out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

RAMP = {character: level / 9 for level, character in enumerate(" .:-=+*#%@")}


class OnnxModel:
    """A file that takes a batch; one thread computes, in every server alike."""

    file = ""
    field = ""
    """Of the input."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session: Any = onnxruntime.InferenceSession(
            os.environ[self.file], options, providers=["CPUExecutionProvider"]
        )

    def run(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """What the field held → outputs."""
        raise NotImplementedError


class Digits(OnnxModel):
    """Zypher's own digits: 64 pixels, two layers; nearly nothing to compute."""

    file = "BENCH_DIGITS"
    field = "drawing"

    def run(self, inputs: Sequence[list[str]]) -> list[dict[str, Any]]:
        """Drawings → digit and probabilities."""
        pixels = np.array([_pixels(drawing) for drawing in inputs], dtype=np.float32)
        (probabilities,) = self.session.run(["probabilities"], {"pixels": pixels})
        return [{"digit": row.index(max(row)), "probabilities": row} for row in probabilities.tolist()]


class Encoder(OnnxModel):
    """The one that ``encoder`` makes."""

    file = "BENCH_ENCODER"
    field = "tokens"

    def run(self, inputs: Sequence[list[int]]) -> list[dict[str, Any]]:
        """Tokens, all of one length → embeddings."""
        (embeddings,) = self.session.run(["embedding"], {"tokens": np.array(inputs, dtype=np.int64)})
        return [{"embedding": row} for row in embeddings.tolist()]


MODELS: dict[str, type[OnnxModel]] = {"digits": Digits, "encoder": Encoder}


def model() -> OnnxModel:
    """The one of this process."""
    return MODELS[os.environ["BENCH_MODEL"]]()


def max_batch_size() -> int | None:
    """As this process was told; ``None``: as the server decides."""
    return int(os.environ.get("BENCH_MAX_BATCH", "0")) or None


def digits_file() -> Path:
    """Shipped with Zypher."""
    return Path(__file__).parents[2] / "zypher_jobs" / "models" / "shipped" / "digits.onnx"


def _pixels(drawing: list[str]) -> list[float]:
    ink = [RAMP[character] for row in drawing for character in row]
    lightest = min(ink)
    span = max(ink) - lightest
    return [(each - lightest) / span for each in ink]

"""The digits model: reads a handwritten digit from a drawing that can be typed, and judged, by a person.

Trained on real handwriting (scikit-learn's copy of the UCI ML hand-written digits, 8 by 8 pixels) by
``examples/digits/train.py``, which draws every image with the same characters before it learns from it.
"""

import importlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zypher_jobs.models.model import Model

RAMP = " .:-=+*#%@"
"""Characters from paper to ink, in equal steps."""
SIDE = 8
WEIGHTS = Path(__file__).with_name("digits.onnx")

_LEVEL = {character: level / (len(RAMP) - 1) for level, character in enumerate(RAMP)}

Row = Annotated[
    str,
    Meta(
        min_length=SIDE,
        max_length=SIDE,
        pattern=r"^[ .:\-=+*#%@]{8}",
        description=f"{SIDE} characters, each one of '{RAMP}', from paper to ink.",
    ),
]


class Drawing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One digit, drawn with characters on 8 rows of 8."""

    drawing: Annotated[list[Row], Meta(min_length=SIDE, max_length=SIDE, description="Rows, from top to bottom.")]

    def __post_init__(self) -> None:
        if len(set("".join(self.drawing))) == 1:
            raise ValueError("the drawing is blank; draw with characters darker than its paper")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the model sees in a drawing."""

    digit: Annotated[int, Meta(ge=0, le=9)]
    confidence: Annotated[float, Meta(ge=0, le=1, description="Probability of that digit.")]
    probabilities: Annotated[list[float], Meta(min_length=10, max_length=10, description="Of the digits 0 to 9.")]


class Digits(Model[Drawing, Reading]):
    """Reads a handwritten digit from a drawing of 8 by 8 characters."""

    input_example = Drawing(
        drawing=[
            "  ####  ",
            " #    # ",
            "      # ",
            "   ###  ",
            "      # ",
            "      # ",
            " #    # ",
            "  ####  ",
        ]
    )
    output_example = Reading(
        digit=3, confidence=0.8708, probabilities=[0.0001, 0, 0, 0.8708, 0, 0.0071, 0, 0, 0.0018, 0.1201]
    )

    _numpy: Any
    _session: Any

    def load(self) -> None:
        """Open the network, in one thread: it is so small that a second one costs more than it gives."""
        try:
            # imported here, not above: 100 ms and 40 MB that only a process that serves it should pay
            self._numpy = importlib.import_module("numpy")
            onnxruntime = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise ImportError(f"{error}; the model needs the onnx extra: pip install 'zypher[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(WEIGHTS, options, providers=["CPUExecutionProvider"])

    def predict(self, inputs: list[Drawing]) -> list[Reading]:
        """All drawings in one run of the network."""
        batch = self._numpy.array([pixels(each.drawing) for each in inputs], dtype="float32")
        (probabilities,) = self._session.run(["probabilities"], {"pixels": batch})
        return [_reading(row) for row in probabilities.tolist()]


def pixels(drawing: list[str]) -> list[float]:
    """Ink of each character, row by row; the lightest becomes 0 and the darkest 1, so any paper and pen will do."""
    ink = [_LEVEL[character] for row in drawing for character in row]
    lightest = min(ink)
    span = max(ink) - lightest
    return [(each - lightest) / span for each in ink]


def _reading(probabilities: list[float]) -> Reading:
    rounded = [round(each, 4) for each in probabilities]
    confidence = max(rounded)
    return Reading(digit=rounded.index(confidence), confidence=confidence, probabilities=rounded)

# /// script
# requires-python = ">=3.11"
# dependencies = ["onnx", "scikit-learn==1.9.*", "skl2onnx", "zypher"]
#
# [tool.uv.sources]
# zypher = { path = "../.." }
# ///
# pyright: basic, reportMissingImports=false
# (its own dependencies, above, are not those of the project)
"""Trains the digits model that ships with Zypher: real handwriting, drawn with characters, into a 40 kB network.

Run ``uv run examples/digits/train.py``; the same data and seed give the same network. It prints the accuracy on
images that training never saw, and writes nothing if that is below 97 %.
"""

import sys
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from zypher_jobs.models.shipped.digits import RAMP, SIDE, WEIGHTS, pixels

SEED = 7
HELD_OUT = 0.2
LOWEST_ACCURACY = 0.97
STEPS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
PENS = (0.35, 0.5, 0.65)
"""Shares of the darkest pixel from which a pen of one darkness, as people type, leaves ink."""
SAMPLES = Path(__file__).parents[2] / "tests" / "models" / "held_out_digits.txt"


def draw(image: np.ndarray) -> list[str]:
    """An image of 0 (paper) to 16 (ink) as a caller would type it."""
    levels = np.rint(image / 16 * (len(RAMP) - 1)).astype(int)
    return ["".join(RAMP[level] for level in row) for row in levels]


def features(images: list[np.ndarray]) -> np.ndarray:
    """Exactly what the served model makes of the drawings."""
    return np.array([pixels(draw(image)) for image in images], dtype=np.float32)


def moved(image: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """The image, one pixel off; what leaves the paper is lost."""
    padded = np.pad(image, 1)
    return padded[1 - dy : 1 - dy + SIDE, 1 - dx : 1 - dx + SIDE]


def with_pen(image: np.ndarray, share: float) -> np.ndarray:
    """The image in one darkness, without greys."""
    return np.where(image >= share * image.max(), 16.0, 0.0)


def augmented(images: np.ndarray, digits: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Each image, moved by up to a pixel, as it is and as each pen would draw it."""
    more, labels = [], []
    for image, digit in zip(images, digits, strict=True):
        for dy, dx in STEPS:
            there = moved(image, dy, dx)
            for version in (there, *(with_pen(there, share) for share in PENS)):
                more.append(version)
                labels.append(digit)
    return more, np.array(labels)


def main() -> int:
    """Train, judge, export."""
    data = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        data.images, data.target, test_size=HELD_OUT, random_state=SEED, stratify=data.target
    )
    images, labels = augmented(train_x, train_y)
    network = MLPClassifier((96,), alpha=1e-3, batch_size=512, max_iter=25, random_state=SEED, n_iter_no_change=50)
    network.fit(features(images), labels)

    accuracy = network.score(features(list(test_x)), test_y)
    print(f"trained on {len(train_x)} images, {len(labels)} drawings")
    print(f"accuracy on {len(test_x)} held-out images: {accuracy:.4f}")
    for share in PENS:
        print(
            f"  the same with a pen at {share}: {network.score(features([with_pen(i, share) for i in test_x]), test_y):.4f}"
        )
    off = [(moved(image, *step), digit) for image, digit in zip(test_x, test_y, strict=True) for step in STEPS]
    print(
        f"  the same moved by a pixel: {network.score(features([i for i, _ in off]), np.array([d for _, d in off])):.4f}"
    )
    if accuracy < LOWEST_ACCURACY:
        print(f"below {LOWEST_ACCURACY}: not written", file=sys.stderr)
        return 1

    model = to_onnx(
        network,
        initial_types=[("pixels", FloatTensorType([None, SIDE * SIDE]))],
        options={"zipmap": False},
        final_types=None,
        target_opset=17,
    )
    WEIGHTS.write_bytes(model.SerializeToString())
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size / 1000:.0f} kB; outputs {[o.name for o in model.graph.output]}")
    SAMPLES.write_text(samples(test_x, test_y), encoding="utf-8")
    return 0


def samples(images: np.ndarray, digits: np.ndarray) -> str:
    """The first three held-out images of each digit, as the tests read them: the digit, then its drawing."""
    blocks = []
    for digit in range(10):
        for image in images[digits == digit][:3]:
            blocks.append("\n".join([str(digit), *(f"|{row}|" for row in draw(image))]))
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.exit(main())

# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.*", "skl2onnx==1.20.*", "zypher"]
#
# [tool.uv.sources]
# zypher = { path = "../.." }
# ///
# pyright: basic, reportMissingImports=false
# (what it needs, above, is not what the project needs)
"""Trains the digits model that ships with Zypher: real handwriting, drawn with characters, into a network of 49 kB.

The data are 1,797 images of 8 by 8 pixels by 43 people (``sklearn.datasets.load_digits``). People who type a drawing
draw larger and thinner than people with a pen, so training also sees each image stretched, turned and moved, and drawn
in one darkness or with its lines thinned. Every image goes through the characters that callers type.

Run ``uv run examples/digits/train.py``, about a minute; the same data and seed give the same network. It prints
the accuracy on images that training never saw, and writes nothing if that is below 97 %.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from zypher_jobs.models.shipped.digits import RAMP, SIDE, WEIGHTS, pixels

SEED = 7
HELD_OUT = 0.2
LOWEST_ACCURACY = 0.97
INK = 16.0
"""Of the darkest pixel; paper is 0."""
ROUNDS = 60
"""How often each image is seen, each time in every style."""
SAMPLES = Path(__file__).parents[2] / "tests" / "models" / "held_out_digits.txt"


def draw(image: np.ndarray) -> list[str]:
    """An image as a caller would type it."""
    levels = np.rint(image / INK * (len(RAMP) - 1)).astype(int)
    return ["".join(RAMP[level] for level in row) for row in levels]


def features(images: np.ndarray) -> np.ndarray:
    """Exactly what the served model makes of the drawings."""
    return np.array([pixels(draw(image)) for image in images], dtype=np.float32)


def warped(images: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Each image stretched (wider rather than narrower), turned, slanted and moved, a little and at random."""
    count = len(images)

    def between(low: float, high: float) -> np.ndarray:
        return chance.uniform(low, high, (count, 1, 1))

    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    x = (x - between(-1, 1)) / np.exp(between(-0.1, 0.5))
    y = (y - between(-1, 1)) / np.exp(between(-0.12, 0.2))
    x = x + between(-0.2, 0.2) * y
    angle = between(-0.2, 0.2)
    rows = np.sin(angle) * x + np.cos(angle) * y + (SIDE - 1) / 2
    columns = np.cos(angle) * x - np.sin(angle) * y + (SIDE - 1) / 2
    which = np.broadcast_to(np.arange(count).reshape(-1, 1, 1), rows.shape)
    return np.clip(map_coordinates(images, [which, rows, columns], order=1), 0, INK)


def in_one_darkness(images: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Ink where a pixel has at least that share of the darkest one, paper elsewhere."""
    return np.where(images >= threshold * images.max((1, 2), keepdims=True), INK, 0)


def thinned(images: np.ndarray) -> np.ndarray:
    """Ink only on the ridges: pixels that are darkest across at least two of the four directions."""
    around = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    ridges = np.zeros(images.shape, dtype=int)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        before = around[:, 1 - dy : 1 - dy + SIDE, 1 - dx : 1 - dx + SIDE]
        after = around[:, 1 + dy : 1 + dy + SIDE, 1 + dx : 1 + dx + SIDE]
        ridges += (images >= before) & (images > after)
    return np.where((ridges >= 2) & (images > INK / 4), INK, 0)


def augmented(images: np.ndarray, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and digits of every image in every round and style."""
    chance = np.random.default_rng(SEED)
    versions = [images]
    for _ in range(ROUNDS):
        thresholds = chance.uniform(0.3, 0.75, (len(images), 1, 1))
        versions += [
            images,
            warped(images, chance),
            in_one_darkness(warped(images, chance), thresholds),
            thinned(warped(images, chance)),
        ]
    drawings = np.concatenate(versions)
    drawn = np.ptp(drawings, axis=(1, 2)) > INK / 2  # thinning may leave nothing
    return features(drawings[drawn]), np.tile(digits, len(versions))[drawn]


def samples(images: np.ndarray, digits: np.ndarray) -> str:
    """The first three held-out images of each digit, as the tests read them: the digit, then its drawing."""
    chosen = [(digit, image) for digit in range(10) for image in images[digits == digit][:3]]
    return "\n".join("\n".join([str(digit), *(f"|{row}|" for row in draw(image)), ""]) for digit, image in chosen)


def main() -> int:
    """Train, judge, export."""
    data = load_digits()
    images, held_out, digits, truth = train_test_split(
        data.images, data.target, test_size=HELD_OUT, random_state=SEED, stratify=data.target
    )
    seen, labels = augmented(images, digits)
    network = MLPClassifier((160,), alpha=1e-4, batch_size=256, max_iter=10, random_state=SEED)
    network.fit(seen, labels)

    accuracy = network.score(features(held_out), truth)
    print(f"trained on {len(images)} images in {len(seen)} drawings")
    print(f"accuracy on {len(held_out)} held-out images: {accuracy:.4f}")
    print(f"  the same in one darkness: {network.score(features(in_one_darkness(held_out, 0.5)), truth):.4f}")
    print(f"  the same thinned: {network.score(features(thinned(held_out)), truth):.4f}")
    if accuracy < LOWEST_ACCURACY:
        print(f"below {LOWEST_ACCURACY}: not written", file=sys.stderr)
        return 1

    shape = FloatTensorType([None, SIDE * SIDE])
    model = to_onnx(network, initial_types=[("pixels", shape)], options={"zipmap": False}, target_opset=17)
    WEIGHTS.write_bytes(model.SerializeToString())
    SAMPLES.write_text(samples(held_out, truth), encoding="utf-8")
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

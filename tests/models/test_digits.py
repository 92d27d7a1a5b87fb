"""The digits model reads real handwriting and typed drawings, and says what is wrong with a drawing."""

import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from subprocess import run

import msgspec
import pytest

from zypher_jobs.errors import InvalidInput, ModelNotReady
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.shipped.digits import Drawing
from zypher_jobs.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
async def digits() -> AsyncIterator[ServedModel]:
    """The shipped model, loaded."""
    registry = ModelRegistry.from_settings(Settings())
    await registry.load_all()
    yield registry.get("digits")
    await registry.close()


def drawings(file: str) -> Iterator[tuple[int, list[str]]]:
    """Digit and rows of each drawing in a file: the digit, then its rows between bars."""
    for block in (HERE / file).read_text(encoding="utf-8").strip().split("\n\n"):
        digit, *rows = block.splitlines()
        yield int(digit), [row[1:-1] for row in rows]


@pytest.mark.parametrize(
    ("file", "known_wrong"),
    [
        ("held_out_digits.txt", 2),  # real handwriting that training never saw
        ("typed_digits.txt", 2),  # typed by hand in three styles, on spaces and on dots
    ],
)
async def test_it_reads_what_it_never_saw(digits: ServedModel, file: str, known_wrong: int) -> None:
    """Right in all but the two of thirty that are known to look like other digits to it."""
    cases = list(drawings(file))
    assert len(cases) == 30
    wrong: list[tuple[int, int]] = []
    for digit, rows in cases:
        output = await digits.run(digits.convert({"drawing": rows}), timeout_s=10)
        assert output.confidence == max(output.probabilities) == output.probabilities[output.digit]
        assert sum(output.probabilities) == pytest.approx(1, abs=0.001)
        if output.digit != digit:
            wrong.append((digit, output.digit))
    assert len(wrong) <= known_wrong, wrong


async def test_its_examples_are_true(digits: ServedModel) -> None:
    """The documented answer is the one it gives, but for the last places."""
    output = await digits.run(digits.convert(digits.info.input_example), timeout_s=10)
    example = digits.info.output_example
    assert output.digit == example["digit"] == 3
    assert output.probabilities == pytest.approx(example["probabilities"], abs=0.002)


async def test_the_readmes_drawing_is_read_as_it_says(digits: ServedModel) -> None:
    """The curl of ``examples/digits/README.md`` gives the answer printed under it."""
    readme = (ROOT / "examples/digits/README.md").read_text(encoding="utf-8")
    body = readme.split("--json '")[1].split("'\n")[0]
    answer = msgspec.json.decode(readme.split("```json\n")[1].split("```")[0])
    output = await digits.run(digits.decode(body.encode()), timeout_s=10)
    assert output.digit == answer["digit"]
    assert output.confidence == pytest.approx(answer["confidence"], abs=0.002)


async def test_paper_and_pen_may_be_any_two_characters(digits: ServedModel) -> None:
    """Faint ink on grey paper is the same drawing."""
    rows = next(rows for digit, rows in drawings("typed_digits.txt") if digit == 5)
    faint = ["".join(":" if character == " " else "-" for character in row) for row in rows]
    outputs = [await digits.run(digits.convert({"drawing": each}), timeout_s=10) for each in (rows, faint)]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("drawing", "field", "sentence"),
    [
        (["#       "] * 7, "$.drawing", "Field 'drawing' must have exactly 8 items."),
        (["#       "] * 9, "$.drawing", "Field 'drawing' must have exactly 8 items."),
        (["#      "] * 8, "$.drawing[0]", "Field 'drawing[0]' must have exactly 8 characters."),
        (["#       "] * 7 + ["#        "], "$.drawing[7]", "Field 'drawing[7]' must have exactly 8 characters."),
        (
            ["x       "] * 8,
            "$.drawing[0]",
            (
                "Field 'drawing[0]' must match the pattern ^[ .:\\-=+*#%@]{8}: "
                "8 characters, each one of ' .:-=+*#%@', from paper to ink."
            ),
        ),
        (["       \n"] * 8, "$.drawing[0]", None),
        (
            ["        "] * 8,
            "$",
            "The input cannot be used: the drawing is blank; draw with characters darker than its paper.",
        ),
        (["@@@@@@@@"] * 8, "$", None),
        ("########", "$.drawing", "Field 'drawing' must be a list, got str."),
        ([1] * 8, "$.drawing[0]", "Field 'drawing[0]' must be a string, got int."),
    ],
)
async def test_a_drawing_that_is_none_says_why(drawing: object, field: str, sentence: str | None) -> None:
    """Rows, their length, their characters, and that something is drawn at all."""
    served = ModelRegistry.from_settings(Settings()).get("digits")
    with pytest.raises(InvalidInput) as refused:
        served.decode(msgspec.json.encode({"drawing": drawing}))
    assert refused.value.field == field
    assert sentence is None or refused.value.message == sentence


async def test_without_the_extra_it_is_unready_and_the_rest_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    registry = ModelRegistry.from_settings(Settings())
    await registry.load_all()
    assert registry.get("mock").ready
    digits = registry.get("digits")
    assert digits.error is not None
    assert "pip install 'zypher[onnx]'" in digits.error
    with pytest.raises(ModelNotReady, match=r"pip install 'zypher\[onnx\]'"):
        await digits.run(Drawing(drawing=["#       "] * 8), timeout_s=1)
    await registry.close()


def test_a_built_wheel_holds_the_network(tmp_path: Path) -> None:
    """Package data that an sdist or wheel forgets is found out here, not by a user."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "zypher_jobs/models/shipped/digits.onnx" in archive.namelist()

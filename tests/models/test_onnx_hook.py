"""A hook gives an ONNX file types of its own, and code before and after the graph; its errors say where they are."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.models import hooks
from tests.models.graphs import PAIRS, serve
from zypher_jobs.errors import ModelDefinitionError, ModelError, SettingError
from zypher_jobs.models import ServedModel


@pytest.fixture
async def adds(tmp_path: Path) -> AsyncIterator[ServedModel]:
    """The hook that works, loaded."""
    (tmp_path / "unit.txt").write_text("m", encoding="utf-8")
    served = serve(tmp_path, PAIRS, hook="tests.models.hooks:Adds")
    await served.load()
    assert served.error is None
    yield served
    await served.unload()


async def test_its_types_are_the_callers(adds: ServedModel) -> None:
    """The schema is that of the hook, and it finds what stands beside the graph."""
    assert (adds.input_type, adds.output_type) == (hooks.Sides, hooks.Total)
    assert adds.definition.tensors is None
    assert adds.info.input_example == {"left": 1, "right": 2}
    assert adds.definition.has_own_example
    output = await adds.run(adds.decode(b'{"left": 1, "right": 2.5}'), timeout_s=20)
    assert output == hooks.Total(total=3.5, unit="m", together=1)


async def test_it_gets_a_batch_and_its_failure_is_that_of_one(adds: ServedModel) -> None:
    """One bad input fails alone, with the hook's file and line; the others share runs."""
    inputs = [hooks.Sides(left=left, right=1) for left in (1, 2, 13, 4)]
    outputs = await asyncio.gather(*(adds.run(each, timeout_s=20) for each in inputs), return_exceptions=True)
    failure = outputs.pop(2)
    assert isinstance(failure, ModelError)
    lines, first = inspect.getsourcelines(hooks.Adds.before)
    line = first + next(number for number, each in enumerate(lines) if "raise ValueError" in each)
    assert failure.message == f"ValueError: 13 is never added (hooks.py:{line}, in before)"
    assert [each.total for each in outputs if isinstance(each, hooks.Total)] == [2, 3, 5]
    assert max(each.together for each in outputs if isinstance(each, hooks.Total)) > 1


async def test_a_hook_that_cannot_load_makes_its_model_unready(tmp_path: Path) -> None:
    """With the file and the line, and the rest is served."""
    served = serve(tmp_path, PAIRS, hook="tests.models.hooks:Adds")
    await served.load()
    assert served.error is not None
    assert served.error.startswith("FileNotFoundError: ")
    line = inspect.getsourcelines(hooks.Adds.load)[1] + 1
    assert served.error.endswith(f"(hooks.py:{line}, in load)")


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("WrongName", "WrongName.before returned ['y']; the graph's inputs are ['x']."),
        ("WrongKind", "WrongKind.before returned <U1 for 'x'; the graph takes float32."),
        ("WrongSize", "Got invalid dimensions for input: x"),
        ("TooFew", "Model 'test' returned 0 outputs for 1 input."),
    ],
)
async def test_tensors_that_do_not_fit_fail_the_prediction(tmp_path: Path, hook: str, message: str) -> None:
    """With what the graph would have taken."""
    served = serve(tmp_path, PAIRS, hook=f"tests.models.hooks:{hook}", input_example=None)
    await served.load()
    served.error = None  # its example, run before it counts as ready, has failed in the same way
    with pytest.raises(ModelError) as failed:
        await served.run(hooks.Sides(left=1, right=2), timeout_s=20)
    assert message in failed.value.message
    await served.unload()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"hook": "tests.models.hooks:NoAfter"}, r"hooks\.py:\d+: hook NoAfter has no `after`\."),
        (
            {"hook": "tests.models.hooks:NoTypes"},
            r"hooks\.py:\d+: model NoTypes: say its types: class NoTypes\(OnnxHook\[Your",
        ),
        ({"hook": "tests.models.hooks:Adds", "labels": ["a"]}, "`labels` and `hook` exclude each other"),
    ],
)
def test_a_hook_that_cannot_serve_is_refused_with_its_place(
    tmp_path: Path, manifest: dict[str, object], message: str
) -> None:
    """File and line, before anything is served."""
    with pytest.raises(ModelDefinitionError, match=message):
        serve(tmp_path, PAIRS, **manifest)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("tests.models.hooks:NoHook", "NoHook in tests.models.hooks is not a subclass of zypher_jobs.models.OnnxHook."),
        ("tests.models.hooks:Add", "module tests.models.hooks has no Add. Did you mean tests.models.hooks:Adds?"),
        ("tests.models.no_hooks:Add", "no module is called tests.models.no_hooks, here or installed."),
        ("hooks", "'hooks' must be module:Class"),
    ],
)
def test_a_hook_that_is_not_there_says_what_is_near(tmp_path: Path, hook: str, message: str) -> None:
    """As for a model's class, under the name that the manifest has for it."""
    with pytest.raises(SettingError) as refused:
        serve(tmp_path, PAIRS, hook=hook)
    assert refused.value.message.startswith("model.test.hook: ")
    assert message in refused.value.message

"""``zypher new-model`` and ``zypher predict``: from nothing to a model that runs, without a server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.stack import Up
from zypher_jobs.commands.scaffold import FORMS, run_new_model
from zypher_jobs.errors import SettingError

ROOT = Path(__file__).parents[2]
RULES = "ANN,ARG,B,E,F,I,N,PL,PT,RET,RUF,SIM,TRY,UP,W"
"""Of ruff, as many projects have them."""
EXAMPLE = '{"text": "to be or not to be"}'

FAILING = """\
import logging
import msgspec
from zypher_jobs.models import Model, context

class Text(msgspec.Struct):
    text: str

class Picky(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        print("printed by the model")
        logging.getLogger("picky").warning("logged by the model")
        context.progress(0.4, "tokenizing")
        context.log("took the long path")
        if input.text == "bad":
            raise ValueError("no such text")
        return input

class Unready(Picky):
    def load(self) -> None:
        raise FileNotFoundError("weights.bin")
"""


@pytest.mark.parametrize("form", FORMS)
def test_a_new_model_works_as_it_is_written(make_up: Callable[..., Up], form: str) -> None:
    """Its own test passes, it predicts, and its file is clean."""
    up = make_up()
    made = up.run("new-model", "word-count", "--form", form)
    assert made.returncode == 0, made.stderr
    *_, predict, test, serve = [line.strip() for line in made.stdout.splitlines() if line]
    assert predict == """zypher predict word_count:WordCount '{"text":"to be or not to be"}'"""
    assert serve == "ZYPHER_MODELS=word_count:WordCount zypher up"

    assert test == "python3 -m pytest test_word_count.py"
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_word_count.py"],
        cwd=up.directory, env=up.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout

    done = up.run("predict", "word_count:WordCount", EXAMPLE)
    pieces = [json.loads(line) for line in done.stdout.splitlines()]
    assert pieces == (["to", " be", " or", " not", " to", " be"] if form == "stream" else [{"words": 6}])

    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=120",
         f"--select={RULES}", "word_count.py"],
        cwd=up.directory, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_a_name_becomes_file_class_and_path(make_up: Callable[..., Up]) -> None:
    """Also one that the class's name would not give."""
    up = make_up()
    assert up.run("new-model", "a-b2-c").returncode == 0
    assert up.run("predict", "a-b2-c", EXAMPLE, models="a_b2_c:AB2C").stdout == '{"words":6}\n'


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "Word Count",
            (
                "A new model cannot be called 'Word Count': take at most 40 of a-z, 0-9 and '-', the first a letter, "
                "such as word-count."
            ),
        ),
        ("WordCount", "such as word-count."),
        ("3d", "such as model-3d."),
        ("../up", "such as up."),
        ("x" * 41, f"such as {'x' * 40}."),
        ("mock", "A model of Zypher's own is called 'mock'; choose another name."),
        ("json", "Python or a package has something else called 'json'; choose another name."),
        ("class", "Python or a package has something else called 'class'; choose another name."),
        ("msgspec", "Python or a package has something else called 'msgspec'; choose another name."),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    """With one that can, where it is only spelled wrong; nothing is written."""
    with pytest.raises(SettingError) as refused:
        run_new_model(name, "many", tmp_path)
    assert refused.value.message.endswith(sentence)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(make_up: Callable[..., Up]) -> None:
    """Not the test either, and then the model is not written."""
    up = make_up()
    (up.directory / "test_word_count.py").write_text("mine")
    refused = up.run("new-model", "word-count")
    assert refused.returncode == 2
    assert refused.stderr == "test_word_count.py exists and is left as it is; choose another name or --directory.\n"
    assert [path.name for path in up.directory.glob("*.py")] == ["test_word_count.py"]


def test_the_input_may_be_a_file_or_stdin(make_up: Callable[..., Up]) -> None:
    """And the model one that is built in, by its version too."""
    up = make_up()
    (up.directory / "input.json").write_text('{"input": "hello"}')
    expected = {"input": "hello", "result": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}
    assert json.loads(up.run("predict", "mock@1", "@input.json").stdout) == expected
    piped = subprocess.run(
        [sys.executable, "-m", "zypher_jobs.cli", "predict", "mock", "-"],
        input=b'{"input": "hello"}', cwd=up.directory, env=up.environ, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert json.loads(piped.stdout) == expected


def test_only_the_output_is_on_stdout(make_up: Callable[..., Up]) -> None:
    """What the model prints, logs and says of its progress is on stderr."""
    up = make_up()
    (up.directory / "picky.py").write_text(FAILING)
    done = up.run("predict", "picky:Picky", '{"text": "good"}')
    assert (done.returncode, done.stdout) == (0, '{"text":"good"}\n')
    assert sorted(done.stderr.splitlines()) == sorted(
        ["printed by the model", "WARNING picky: logged by the model", " 40% tokenizing", "took the long path"]
    )


@pytest.mark.parametrize(
    ("name", "given", "code", "last_line"),
    [
        ("picky:Picky", '{"text": "bad"}', 1, "ValueError: no such text"),
        ("picky:Unready", '{"text": "x"}', 1, "Model 'unready' does not load: FileNotFoundError: weights.bin."),
        ("picky:Picky", '{"txt": "x"}', 2, "Field 'text' is missing."),
        ("picky:Picky", "{", 2, 'send JSON such as {"text":"hello"}.'),
        (
            "picky:Picky",
            "@nowhere.json",
            2,
            "zypher predict: the file nowhere.json cannot be read: no such file or directory.",
        ),
        ("picky:Piky", "{}", 2, "module picky has no Piky. Did you mean picky:Picky?"),
        ("pick", "{}", 2, "Known models: digits, mock. A class is named as module:Class."),
        ("mock@2", "{}", 2, "Model 'mock' has no version '2' here. Known versions: 1."),
        ("nowhere.onnx", "{}", 2, "zypher predict: 'nowhere.onnx': there is no file 'nowhere.onnx' in "),
        ("mock", None, 2, 'Error: Give it an input: zypher predict mock \'{"input":"hello"}\''),
    ],
)
def test_what_went_wrong_is_said_with_the_exit_code(
    make_up: Callable[..., Up], name: str, given: str | None, code: int, last_line: str
) -> None:
    """1: the model failed, with its traceback. 2: what was asked for cannot be."""
    up = make_up()
    (up.directory / "picky.py").write_text(FAILING)
    done = up.run("predict", name, *([given] if given is not None else []))
    assert (done.returncode, done.stdout) == (code, "")
    assert last_line in done.stderr.splitlines()[-1]
    assert (f'File "{up.directory}/picky.py", line ' in done.stderr) == (code == 1)


def test_a_prediction_that_takes_too_long_ends(make_up: Callable[..., Up]) -> None:
    """After the time-out of the command line, or that of the settings."""
    up = make_up()
    done = up.run("predict", "mock", '{"input": "x"}', "--timeout-s", "0.01", mock_latency_ms="60000")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Model 'mock' did not answer within 0.01 s.\n"

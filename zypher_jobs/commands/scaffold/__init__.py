"""``zypher new-model``: writes the file of a model that works, and its test, to begin from."""

import importlib.util
import keyword
import re
import sys
from importlib import resources
from pathlib import Path

import click
import msgspec

from zypher_jobs.commands.scaffold import forms
from zypher_jobs.errors import SettingError
from zypher_jobs.models.definition import kebab

FORMS = {"many": "many", "one": "one", "async": "waiting", "stream": "stream"}
"""What ``--form`` may be → the module of ``forms``."""

_NAME = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_PLACEHOLDER = "MyModel"
_BUILT_IN = ("mock", "digits")
_EXAMPLE = "to be or not to be"


def run_new_model(name: str, form: str, directory: Path) -> int:
    """Write ``NAME.py`` and ``test_NAME.py`` and say what to do next; ``SettingError`` where that cannot be."""
    module = name.replace("-", "_")
    _check(name, module)
    files = {directory / f"{module}.py": _model(name, form), directory / f"test_{module}.py": _test(name, form)}
    for path in files:
        if path.exists():
            raise SettingError(f"{path} exists and is left as it is; choose another name or --directory.")
    for path, text in files.items():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error
    click.echo(f"Wrote {' and '.join(map(str, files))}. Next:\n")
    if directory.resolve() != Path.cwd():
        click.echo(f"  cd {directory}")
    entry = f"{module}:{_class(name)}"
    click.echo(f"  zypher predict {entry} '{msgspec.json.encode({'text': _EXAMPLE}).decode()}'")
    click.echo(f"  python3 -m pytest test_{module}.py")
    click.echo(f"  ZYPHER_MODELS={entry} zypher up")
    return 0


def _check(name: str, module: str) -> None:
    if not _NAME.fullmatch(name):
        usable = re.sub(r"[^a-z0-9]+", "-", kebab(name)).strip("-")[:40] or "word-count"
        usable = usable if usable[0].isalpha() else f"model-{usable}"
        raise SettingError(
            f"A new model cannot be called {name!r}: take at most 40 of a-z, 0-9 and '-', the first a letter, "
            f"such as {usable}."
        )
    if name in _BUILT_IN:
        raise SettingError(f"A model of Zypher's own is called {name!r}; choose another name.")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or importlib.util.find_spec(module):
        raise SettingError(f"Python or a package has something else called {module!r}; choose another name.")


def _model(name: str, form: str) -> str:
    text = resources.files(forms).joinpath(f"{FORMS[form]}.py").read_text(encoding="utf-8")
    wanted = name.replace("_", "-")
    if kebab(_class(name)) != wanted:
        head, comment, rest = text.partition("    # shown in the documentation")
        text = f'{head}    name = "{wanted}"\n\n{comment}{rest}'
    text = text.replace("\n\nfrom zypher_jobs", "\nfrom zypher_jobs")  # one of the packages where it is installed
    return text.replace(_PLACEHOLDER, _class(name))


def _test(name: str, form: str) -> str:
    class_name = _class(name)
    behavior, output = (
        ("it_says_the_text", f'"{_EXAMPLE}"') if form == "stream" else ("it_counts_the_words", '{"words": 6}')
    )
    return f'''\
"""What a caller of the model gets; each prediction loads it, as a server does at its start."""

import pytest
from zypher_jobs.errors import InvalidInput
from zypher_jobs.testing import predict

from {name.replace("-", "_")} import {class_name}


def test_{behavior}() -> None:
    assert predict({class_name}, {{"text": "{_EXAMPLE}"}}) == {output}


def test_a_blank_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Field 'text' must not be blank"):
        predict({class_name}, {{"text": " "}})
'''


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in re.split("[-_]", name))

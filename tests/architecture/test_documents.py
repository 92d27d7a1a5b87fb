"""What the documents say of the project is so."""

import itertools
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.architecture.project import PROJECT, ROOT, committed
from zypher_jobs import metrics
from zypher_jobs.cli import zypher
from zypher_jobs.settings import DESCRIPTIONS, Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [path for path in committed() if path.suffix == ".md"]
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def shown(value: object) -> str:
    """A default as the table has it."""
    if value is None:
        return "unset"
    if value == ():
        return "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def anchor(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_table_of_settings_is_complete() -> None:
    """Every setting with its default and its description, in their order, and no other."""
    rows = [line for line in README.splitlines() if line.startswith("| `ZYPHER_")]
    assert rows == [
        f"| `ZYPHER_{name.upper()}` | {shown(getattr(Settings(), name))} | {text} |"
        for name, text in DESCRIPTIONS.items()
    ]


def test_the_table_of_metrics_is_complete() -> None:
    """Every metric with its kind, its labels and what it means, in their order, and no other."""
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("| `zypher_")] == [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.help} |"
        for each in vars(metrics).values()
        if isinstance(each, metrics.Metric)
    ]


def test_every_variable_that_the_documents_name_is_a_setting() -> None:
    """A renamed setting is renamed everywhere."""
    known = {f"ZYPHER_{name.upper()}" for name in Settings.__struct_fields__}
    files = [*DOCUMENTS, ROOT / "compose.yaml", ROOT / "Dockerfile", ROOT / "justfile"]
    named = {name for path in files for name in re.findall(r"\bZYPHER_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    assert named <= known


def test_the_model_of_the_readme_is_the_example() -> None:
    """What people copy is what the tests run."""
    (shown_model,) = (each for each in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "(Model[" in each)
    example = (ROOT / "examples" / "word_count" / "word_count.py").read_text(encoding="utf-8")
    assert example.endswith(shown_model)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    """To a file of the checkout, and to a heading in it where it names one."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        if fragment and file.suffix == ".md":
            assert fragment in {anchor(each) for each in HEADING.findall(file.read_text(encoding="utf-8"))}, target


def test_the_recipes_that_the_documents_name_exist() -> None:
    """`just …` in a document is a recipe of the justfile, and each public one has a comment for `just` to list."""
    lines = (ROOT / "justfile").read_text(encoding="utf-8").splitlines()
    recipes: set[str] = set()
    for number, line in enumerate(lines):
        head = re.match(r"([a-z-]+)(?: [^:=]*)?:(?!=)", line)
        if head and head[1] != "list":
            recipes.add(head[1])
            above = next(each for each in reversed(lines[:number]) if not each.startswith("["))
            assert above.startswith("# "), head[1]
    assert {"up", "test", "check", "fix", "bench", "tui", "docs"} <= recipes
    for document in DOCUMENTS:
        named = re.findall(r"(?:^|[`\n])(?:ZYPHER_\S+ )?just ([a-z-]+)", document.read_text(encoding="utf-8"))
        assert set(named) <= recipes, document.name


def test_the_files_that_the_documents_name_exist() -> None:
    """By their path or by their name alone, also folders."""
    files = [path.relative_to(ROOT) for path in committed()]
    known = {name for file in files for each in (file, *file.parents) for name in (each.as_posix(), each.name)}
    for document in DOCUMENTS:
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
        named = {each.rstrip("/") for each in re.findall(r"`([\w.-][\w./-]*(?:\.(?:py|lua|md|tcss)|/))`", text)}
        assert named <= known, document.name


def test_the_names_of_the_code_in_the_documents_exist() -> None:
    """`zypher_jobs.…` can be imported, in prose and in examples."""
    for document in DOCUMENTS:
        for named in set(re.findall(r"\bzypher_(?:api|jobs|tui)(?:\.\w+)+", document.read_text(encoding="utf-8"))):
            pkgutil.resolve_name(named)


def test_the_commands_that_the_documents_name_exist() -> None:
    """`zypher …`, in prose and in examples, with each option that stands behind it."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for said in re.findall(r"(?:`|^ *(?:\w+=\S+ )?)zypher ([a-z][^`\n]*)", text, re.MULTILINE):
            command: click.Command = zypher
            for word in said.split():
                if isinstance(command, click.Group) and word in command.commands:
                    command = command.commands[word]
            options = {option for each in command.params for option in each.opts}
            wanted = set(re.findall(r"(?<!\S)--[a-z-]+", said.partition(" # ")[0]))
            assert command is not zypher, f"{document.name}: zypher {said}"
            assert wanted <= options, f"{document.name}: zypher {said}"


def test_the_table_of_keys_is_complete(tmp_path: Path) -> None:
    """Every action of `zypher tui --keys` with its keys, once, in whatever order, and no other.

    `UPDATE_SCREENS=1` writes the table again.
    """
    printed = subprocess.run(
        [sys.executable, "-m", "zypher_jobs.cli", "tui", "--keys"],
        env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    places = {
        section.partition("\n")[0]: [
            f"{' '.join(f'`{key}`' for key in json.loads(keys))} {says}"
            for keys, says in re.findall(r"^[\w-]+ = (\[.*\]) +# (.*)$", section, re.MULTILINE)
        ]
        for section in printed.split("\n# ")[1:]
    }
    path = ROOT / "docs" / "dashboard.md"
    head, begin, rest = path.read_text(encoding="utf-8").partition("| where | keys |\n|---|---|\n")
    table, _, tail = rest.partition("\n\n")
    if os.environ.get("UPDATE_SCREENS"):
        table = "\n".join(f"| {place} | {' · '.join(actions)} |" for place, actions in places.items())
        path.write_text(f"{head}{begin}{table}\n\n{tail}", encoding="utf-8")
    shown = [action for row in table.splitlines() for action in row.strip("| ").split(" | ")[1].split(" · ")]
    assert sorted(shown) == sorted(itertools.chain(*places.values()))


def test_the_changelog_knows_the_version() -> None:
    """The version that is being built has its place."""
    version = re.search(r'__version__ = "([^"]+)"', (ROOT / "zypher_jobs" / "__init__.py").read_text(encoding="utf-8"))
    assert version
    assert "version" in PROJECT["project"]["dynamic"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## (\[?Unreleased\]?|{re.escape(version[1])})", changelog, re.MULTILINE)


def test_no_file_names_a_registry_or_someones_machine() -> None:
    """Where packages come from is the business of whoever installs them."""
    unwanted = re.compile(
        "|".join(["py" + r"pi\.org", "python" + "hosted", r"registry\.npm" + "js", r"index" + r"-url\b"])
    )
    for path in committed():
        if path.suffix in {".png", ".onnx", ".svg"}:
            continue
        found = unwanted.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(ROOT)}: {found and found[0]}"

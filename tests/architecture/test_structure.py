"""ARCHITECTURE.md says what the tree is."""

import re
from pathlib import PurePosixPath

from tests.architecture.project import PROJECT, ROOT, committed

TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PACKAGES = ("zypher_api", "zypher_jobs", "zypher_tui")


def listed() -> list[str]:
    """The folders of the section on rooms, in its order."""
    (block,) = re.findall(r"## The rooms\n\n```text\n(.*?)```", TEXT, re.DOTALL)
    path: list[str] = []
    found: list[str] = []
    for line in block.splitlines():
        indent, name = re.match(r"( *)([\w-]+)/", line).groups()  # pyright: ignore[reportOptionalMemberAccess]
        path[len(indent) // 2 :] = [name]
        found.append("/".join(path))
    return found


def test_the_rooms_are_the_folders() -> None:
    """All folders at the top, and within the packages down to the last, and none that is gone."""
    files = [PurePosixPath(path.relative_to(ROOT).as_posix()) for path in committed()]
    folders = {str(folder) for file in files for folder in file.parents if str(folder) != "."}
    assert sorted(listed()) == sorted(
        folder
        for folder in folders
        if not folder.startswith(".") and ("/" not in folder or folder.startswith(PACKAGES))
    )


def test_the_layers_are_those_that_are_held() -> None:
    """The line of arrows is the contract of import-linter."""
    (contract,) = [
        each for each in PROJECT["tool"]["importlinter"]["contracts"] if each.get("containers") == ["zypher_jobs"]
    ]
    assert f"`{' → '.join(contract['layers'])}`" in TEXT


def test_a_link_with_a_name_of_the_code_leads_to_where_it_is() -> None:
    """`[client.py](…)` is the file, and `[PredictionQueue](…/client.py)` says it."""
    for shown, target in re.findall(r"\[([\w.]+)\]\(([\w/]+\.(?:py|lua))\)", TEXT):
        if "." in shown:
            assert target.endswith(f"/{shown}")
        elif not shown.islower():
            assert shown in (ROOT / target).read_text(encoding="utf-8")

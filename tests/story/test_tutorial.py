"""The tutorial of the dashboard is what a person sees who follows it."""

from pathlib import Path

import pytest

from tests.story.walk import PAGE, walk, walking
from tests.terminals.terminal import Terminal
from tests.terminals.tmux import TMUX, Tmux

IN_TMUX = pytest.param(Tmux, id="tmux", marks=pytest.mark.skipif(TMUX is None, reason="tmux is not installed"))
PLAIN = pytest.param(Terminal, id="pseudo-terminal")


@pytest.mark.parametrize("kind", [IN_TMUX, PLAIN])
async def test_the_tutorial_can_be_followed(tmp_path: Path, kind: type[Terminal] | type[Tmux]) -> None:
    """Each key leads where the text says; the page says nothing else than this walk."""
    async with walking(tmp_path, kind) as path:
        await walk(path)
    page = PAGE.read_text(encoding="utf-8")
    said = [each for each in path.page if not each.startswith("```text")]
    assert [each for each in said if each not in page] == []
    assert page.count("```text") == len(path.page) - len(said)

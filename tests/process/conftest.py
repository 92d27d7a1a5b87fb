"""Fixtures that start ``zypher up`` and leave nothing behind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.stack import Up


@pytest.fixture
def make_up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Make a stack that is not started yet, with settings such as ``workers=2``; all of it is killed at the end."""
    made: list[Up] = []

    def make(**settings: object) -> Up:
        directory = tmp_path / f"up{len(made)}"
        directory.mkdir()
        made.append(Up(directory, **settings))
        return made[-1]

    yield make
    for up in made:
        up.kill_everything()

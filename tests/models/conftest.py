"""A registry, and a user's directory to find models in."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from zypher_jobs.models import ModelRegistry


@pytest.fixture
async def registry() -> AsyncIterator[ModelRegistry]:
    """An empty one."""
    registry = ModelRegistry()
    yield registry
    await registry.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's directory, the current one; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]

"""Models that fail in ways of their own."""

import msgspec
import pytest

from zypher_jobs.settings import Settings


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """The test's settings, with the models of ``tests.api.models`` beside the built-in ones."""
    return msgspec.structs.replace(
        settings,
        models=(
            "tests.api.models:Gate",
            "tests.api.models:Raises",
            "tests.api.models:NotLoaded",
            "tests.api.models:Keeps",
        ),
    )

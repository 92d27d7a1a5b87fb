"""Options that several commands have: where the API and Redis are, and which recording to show instead."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click

from zypher_jobs.errors import InvalidInput

FILE = click.Path(dir_okay=False, path_type=Path)

API_URL = click.option("--api-url", help="Where the API answers; by default the running one's, or the settings'.")
REDIS = click.option(
    "--redis",
    "redis_url",
    help="The Redis to read directly when the API is away, such as redis://host:6379; by default the settings'.",
)
REPLAY = click.option("--replay", type=FILE, help="Show a file that `zypher top --record` wrote.")
AT = click.option("--at", help="With --replay: that time; +5m after its begin, or 2026-11-26T00:10:00Z. [its end]")


def need_replay(replay: Path | None, at: str | None) -> None:
    """Refuse ``--at`` without ``--replay``."""
    if replay is None and at is not None:
        raise click.UsageError("--at says a time of a recording: name it with --replay.")


@contextmanager
def reading(path: Path) -> Generator[None]:
    """What is wrong with a recording, or with a time of it, is one sentence."""
    from zypher_tui.core.durations import WrongTime
    from zypher_tui.core.recording import WrongRecording

    try:
        yield
    except WrongTime as error:
        raise click.BadParameter(str(error), param_hint="--at") from error
    except WrongRecording as error:
        raise InvalidInput(f"{path}: {error}") from error

"""``zypher tui``: the dashboard over the sources of a running Zypher, in this terminal."""

from functools import partial

from rich.console import Console
from textual.constants import COLOR_SYSTEM

from zypher_tui.app import Dashboard
from zypher_tui.config import Config
from zypher_tui.core.cleaning import clean
from zypher_tui.core.readings import SourceName
from zypher_tui.core.troubles import Addresses, shown_address
from zypher_tui.feeds import Opener
from zypher_tui.keymap import as_file
from zypher_tui.load.desk import ApiDesk, ClosedDesk
from zypher_tui.sources.operator import ApiOperator
from zypher_tui.sources.source import READ_ONLY, Source
from zypher_tui.themes import fitting


def run_dashboard(
    config: Config,
    *,
    api_url: str,
    redis_url: str | None,
    api_key: str | None = None,
    theme: str | None = None,
    read_only: bool = False,
) -> int:
    """Show the dashboard in this terminal until ``q`` or Ctrl-C; returns the exit code."""
    begin = fitting(theme or config.theme, colours=terminal_colours())
    openers = openers_of(api_url, redis_url, api_key=api_key, read_only=read_only)
    desk = ClosedDesk(READ_ONLY) if read_only else ApiDesk(api_url, api_key=api_key)
    operator = partial(ApiOperator, api_url, api_key=api_key)
    dashboard = Dashboard(
        openers,
        api_url=api_url,
        config=config,
        theme=begin,
        desk=desk,
        operator=operator,
        read_only=read_only,
        addresses=Addresses(
            api_url=clean(api_url), redis=clean(shown_address(redis_url or "")), has_key=api_key is not None
        ),
    )
    return dashboard.run_here()


def keys_as_file(config: Config) -> str:
    """All actions of the dashboard with their keys, as a configuration file; raises ``WrongConfig``."""
    return as_file(config)  # here, where every module with keys is loaded


def terminal_colours() -> int:
    """How many colours this terminal says that it has."""
    system = Console(force_terminal=True, color_system=COLOR_SYSTEM).color_system  # pyright: ignore[reportArgumentType]
    return {"truecolor": 1 << 24, "256": 256}.get(system or "", 16)


def openers_of(
    api_url: str, redis_url: str | None, *, api_key: str | None = None, read_only: bool = False
) -> dict[SourceName, Opener]:
    """The sources behind those addresses."""
    openers: dict[SourceName, Opener] = {SourceName.API: lambda: _open_api(api_url, api_key, read_only=read_only)}
    if redis_url:
        openers[SourceName.REDIS] = lambda: _open_redis(redis_url)
    return openers


def _open_api(url: str, api_key: str | None, *, read_only: bool) -> Source:
    from zypher_tui.sources.api import ApiSource  # noqa: PLC0415  # 120 ms, after the first frame

    return ApiSource(url, api_key=api_key, read_only=read_only)


def _open_redis(url: str) -> Source:
    from zypher_tui.sources.redis import RedisSource  # noqa: PLC0415  # 155 ms, after the first frame

    return RedisSource(url)

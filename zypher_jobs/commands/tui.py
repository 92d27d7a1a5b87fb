"""``zypher tui``: the dashboard, on a terminal or in a browser."""

from pathlib import Path

import click

from zypher_jobs.commands.finding import find_settings, find_sources
from zypher_jobs.commands.options import API_URL, AT, REDIS, REPLAY, need_replay, reading
from zypher_jobs.errors import StartError


@click.command()
@click.option("--theme", type=click.Choice(["dark", "light", "contrast", "mono", "terminal", "none"]), help="Colours.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Instead of ~/.config/zypher/dashboard.toml."
)
@click.option("--fps", type=click.FloatRange(0.5, 4), help="Most frames in a second, such as 0.5 on a slow link. [2]")
@click.option("--keys", is_flag=True, help="Print all keys as such a file, and end.")
@REPLAY
@AT
@click.option("--demo", is_flag=True, help="Show a simulated system; nothing needs to run.")
@click.option("--read-only", is_flag=True, help="Change nothing: no cancel, retry, replay, drop or pause.")
@click.option("--web", is_flag=True, help="Show it in a browser on this machine instead; needs zypher[web].")
@click.option("--port", type=click.IntRange(1, 65_535), default=8090, help="With --web: where. [8090]")
@API_URL
@REDIS
def tui(
    *,
    theme: str | None,
    config_file: Path | None,
    fps: float | None,
    keys: bool,
    replay: Path | None,
    at: str | None,
    demo: bool,
    read_only: bool,
    web: bool,
    port: int,
    api_url: str | None,
    redis_url: str | None,
) -> int:
    """Show the dashboard."""
    need_replay(replay, at)
    if web:
        given = {"theme": theme, "config": config_file, "fps": fps, "replay": replay, "at": at, "redis": redis_url}
        flags = {"demo": demo, "read-only": read_only}
        return _serve_tui({**given, "api-url": api_url}, flags, port=port)
    from zypher_tui.config import find_config

    config = find_config(config_file or find_settings().dashboard)
    if fps is not None:
        import msgspec

        config = msgspec.structs.replace(config, fps=fps)
    if keys:
        from zypher_tui.opening import keys_as_file

        click.echo(keys_as_file(config), nl=False)
        return 0
    if replay is not None:
        with reading(replay):
            from zypher_tui.replaying import run_replay

            return run_replay(replay, config, at=at, theme=theme)
    if demo:
        from zypher_tui.demo import run_demo

        return run_demo(config, theme=theme, read_only=read_only)
    found_api_url, redis_url, api_key = find_sources(api_url, redis_url, may_be_away=True)
    from zypher_tui.opening import run_dashboard

    return run_dashboard(
        config, api_url=found_api_url, redis_url=redis_url, api_key=api_key, theme=theme, read_only=read_only
    )


def _serve_tui(given: dict[str, object], flags: dict[str, bool], *, port: int) -> int:
    """The same in a browser."""
    try:
        from zypher_tui.web import run_web
    except ImportError as error:
        raise StartError(
            f"zypher tui --web needs the extra web, which is not installed ({error.name}): pip install 'zypher[web]'."
        ) from error
    options = [each for name, value in given.items() if value is not None for each in (f"--{name}", str(value))]
    return run_web([*options, *(f"--{name}" for name, is_set in flags.items() if is_set)], port=port)

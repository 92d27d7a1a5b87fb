"""``zypher top``: what the dashboard shows, for scripts; and the recorder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zypher_jobs.commands.finding import find_sources
from zypher_jobs.commands.options import API_URL, AT, FILE, REDIS, REPLAY, need_replay, reading

if TYPE_CHECKING:
    from zypher_tui.top import Moment, Sources


class _Duration(click.ParamType[float]):
    """``90s``, ``5m``, ``12h``, ``1d``: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from zypher_tui.core.durations import seconds_of

        found = seconds_of(str(value))
        return found or self.fail(f"{value!r} is no time; write 90s, 5m, 12h or 1d.", param, ctx)


@click.command()
@click.option("--once", is_flag=True, help="Print the figures of this moment and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: as JSON.")
@click.option("--watch", is_flag=True, help="Print them again and again: one JSON object a line.")
@click.option("--check", help="Conditions, such as p95_ms<300,dead==0: exit code 1 if one does not hold.")
@REPLAY
@AT
@click.option("--record", type=FILE, help="Write what is seen into a file, until interrupted.")
@click.option(
    "--every", "--every-s", "every_s", type=click.FloatRange(min=0.1), default=2.0, help="Seconds between two. [2]"
)
@click.option("--for", "for_s", type=_Duration(), help="With --record: for so long, 90s, 5m, 12h, 1d.")
@click.option("--max-mb", type=click.FloatRange(min=0.001), default=200.0, help="With --record: then it ends. [200]")
@click.option(
    "--no-previews",
    "previews",
    flag_value=False,
    default=True,
    type=bool,
    help="With --record: without inputs and outputs.",
)
@click.option("--note", default="", help="With --record: a line about it.")
@click.option("--force", "overwrite", is_flag=True, help="With --record: overwrite the file.")
@API_URL
@REDIS
def top(
    *,
    once: bool,
    as_json: bool,
    watch: bool,
    check: str | None,
    replay: Path | None,
    at: str | None,
    record: Path | None,
    every_s: float,
    api_url: str | None,
    redis_url: str | None,
    **recording: Any,
) -> int:
    """Print what the dashboard shows, without a terminal, or write it into a file.

    Exit codes of --check: 0 all conditions hold, 1 one does not, 2 one cannot be understood, 3 nothing answers.
    """
    if once + watch + (check is not None) + (record is not None) != 1:
        raise click.UsageError(
            "zypher top takes one of --once, --watch, --check and --record. For a live view run: zypher tui"
        )
    need_replay(replay, at)
    if replay is not None:
        if not once and check is None:
            raise click.UsageError("zypher top --replay takes --once or --check. For a live view: zypher tui --replay")
        return _top_of_file(replay, at, check, as_json=as_json)
    found_api_url, redis_url, api_key = find_sources(api_url, redis_url, may_be_away=True)
    if record is not None:
        from zypher_tui.top.recording import Wanted, run_recorder

        wanted = Wanted(path=record, every_s=every_s, **recording)
        return run_recorder(wanted, api_url=found_api_url, redis_url=redis_url, api_key=api_key)
    from zypher_tui.top import Sources, print_again, print_once

    sources = Sources(api_url=found_api_url, redis_url=redis_url, api_key=api_key)
    if watch:
        return print_again(sources, every_s=every_s)
    return print_once(sources, as_json=as_json) if check is None else _check(sources, check)


def _top_of_file(path: Path, at: str | None, check: str | None, *, as_json: bool) -> int:
    with reading(path):
        from zypher_tui.top import Moment, print_once

        moment = Moment(path=path, at=at)
        return print_once(moment, as_json=as_json) if check is None else _check(moment, check)


def _check(origin: "Sources | Moment", conditions: str) -> int:
    from zypher_tui.core.checks import WrongCheck
    from zypher_tui.top import check_once

    try:
        return check_once(origin, conditions)
    except WrongCheck as error:
        raise click.BadParameter(str(error), param_hint="--check") from error

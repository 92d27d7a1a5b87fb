"""Commands that start what serves: everything, or one part of it; and the one that starts its processes anew."""

import os
import signal
from typing import TYPE_CHECKING

import click

from zypher_jobs.commands.finding import find_settings, find_settings_with_redis
from zypher_jobs.errors import StartError

if TYPE_CHECKING:
    from zypher_jobs.settings import Settings

_EXIT_WITH_PARENT = click.option("--exit-with-parent", is_flag=True, hidden=True, help="Drain when stdin ends.")


@click.command()
def up() -> int:
    """Start everything: Redis, API, workers, and the dashboard on a terminal."""
    from zypher_jobs.supervisor.stack import run_up

    return run_up(find_settings())


@click.command()
def reload() -> int:
    """Replace the processes of the running `zypher up` or `zypher api`, one after the other: all is read anew."""
    from zypher_jobs.supervisor.data_dir import DataDir
    from zypher_jobs.supervisor.lone_api import lone_apis

    settings = find_settings()
    running = DataDir(settings.data_dir).running()
    apis = {each.port: each.pid for each in lone_apis(settings.data_dir)}
    pid = running.pid if running is not None else apis.get(settings.port)
    if pid is None:
        others = "".join(f" One runs on port {port}: ZYPHER_PORT={port} zypher reload." for port in apis)
        raise StartError(
            f"No `zypher up` runs on the data directory {settings.data_dir}, and no `zypher api` with it on port "
            f"{settings.port}: nothing to reload.{others} One that is not found so is reloaded by SIGHUP to its "
            "process; a `zypher worker` is stopped and started."
        )
    os.kill(pid, signal.SIGHUP)
    click.echo(f"Asked: process {pid} replaces its processes; its log says how it went.")
    return 0


@click.command()
@click.option("--processes", type=click.IntRange(min=1), help="How many, on one port; default: ZYPHER_API_PROCESSES.")
@click.option("--seat", hidden=True, help="Be one of them: listening socket, board, lane, when to begin.")
@_EXIT_WITH_PARENT
def api(*, processes: int | None, seat: str | None, exit_with_parent: bool) -> int:
    """Run the HTTP API. SIGHUP replaces its processes one after the other."""
    if processes is not None:
        os.environ["ZYPHER_API_PROCESSES"] = str(processes)  # for a reload, too
    settings = find_settings_with_redis()
    _watch_parent(settings, wanted=exit_with_parent)
    if seat is None:
        from zypher_jobs.supervisor.api_group import run_api

        return run_api(settings)
    from zypher_api.seat import Entry, Seat
    from zypher_api.server import serve

    listener, board, lane, entry = seat.split(",")
    return serve(settings, Seat.inherited(int(listener), int(board), int(lane), Entry(entry)))


@click.command()
@click.option("--replaces", is_flag=True, hidden=True, help="End if a model does not load.")
@_EXIT_WITH_PARENT
def worker(*, replaces: bool, exit_with_parent: bool) -> int:
    """Run one worker."""
    settings = find_settings_with_redis()
    _watch_parent(settings, wanted=exit_with_parent)
    from zypher_jobs.worker.main import run_worker

    return run_worker(settings, replaces=replaces)


def _watch_parent(settings: "Settings", *, wanted: bool) -> None:
    if wanted:
        from zypher_jobs.supervisor.parent import drain_when_parent_is_gone

        drain_when_parent_is_gone(grace_s=settings.grace_s)

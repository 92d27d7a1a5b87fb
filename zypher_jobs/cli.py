"""The ``zypher`` command. The only module of the base that knows the API and the dashboard, inside their commands.

Imports stand inside the commands: ``zypher --help`` loads none of the parts, and each command its own only.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # an environment made by hand reaches this line
    sys.exit("Zypher needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))

import os
import select
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zypher_jobs import __version__
from zypher_jobs.errors import InvalidInput, ModelDefinitionError, NotFound, SettingError, StartError, ZypherError

if TYPE_CHECKING:
    from zypher_jobs.settings import Settings
    from zypher_tui.top import Moment, Sources

_EXIT_WITH_PARENT = click.option("--exit-with-parent", is_flag=True, hidden=True, help="Drain when stdin ends.")
_API_URL = click.option("--api-url", help="Where the API answers; by default the running one's, or the settings'.")
_REDIS = click.option(
    "--redis",
    "redis_url",
    help="The Redis to read directly when the API is away, such as redis://host:6379; by default the settings'.",
)
_FILE = click.Path(dir_okay=False, path_type=Path)
_REPLAY = click.option("--replay", type=_FILE, help="Show a file that `zypher top --record` wrote.")
_AT = click.option("--at", help="With --replay: that time; +5m after its begin, or 2026-11-26T00:10:00Z. [its end]")


class _Duration(click.ParamType[float]):
    """``90s``, ``5m``, ``12h``, ``1d``: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from zypher_tui.core.durations import seconds_of

        found = seconds_of(str(value))
        return found or self.fail(f"{value!r} is no time; write 90s, 5m, 12h or 1d.", param, ctx)


def main() -> None:
    """Run the command line. What Zypher refuses on purpose is one sentence on stderr, never a traceback."""
    if (reconfigure := getattr(sys.stdout, "reconfigure", None)) is not None:
        reconfigure(errors="replace")  # a terminal that cannot show ✓ gets ?
    try:
        code = zypher.main(prog_name="zypher", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except ZypherError as error:
        click.echo(error.message, err=True)
        code = 2 if isinstance(error, (SettingError, ModelDefinitionError, InvalidInput, NotFound)) else 1
    sys.exit(code)


class _Commands(click.Group):
    """Click ends at any broken pipe without a word; that may only be so where it is the output's, as in ``| head``."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            (output := select.poll()).register(1, 0)
            if output.poll(0):  # an error or its end: nothing else was asked for
                raise
            raise RuntimeError("the other side of a pipe or connection went away") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zypher")
def zypher() -> None:
    """Serve machine-learning models over HTTP: answer now, or queue and answer later, and watch it live."""


@zypher.command()
def up() -> int:
    """Start everything: Redis, API, workers, and the dashboard on a terminal."""
    from zypher_jobs.supervisor.stack import run_up

    return run_up(_settings())


@zypher.command()
def reload() -> int:
    """Replace the processes of the running `zypher up`, one after the other: settings and models are read anew."""
    from zypher_jobs.supervisor.data_dir import DataDir

    settings = _settings()
    running = DataDir(settings.data_dir).running()
    if running is None:
        raise StartError(f"No Zypher runs on the data directory {settings.data_dir}: nothing to reload.")
    os.kill(running.pid, signal.SIGHUP)
    click.echo(f"Asked: process {running.pid} replaces its processes; its log says how it went.")
    return 0


@zypher.command()
@click.option("--processes", type=click.IntRange(min=1), help="How many, on one port; default: ZYPHER_API_PROCESSES.")
@click.option("--seat", hidden=True, help="Be one of them: listening socket, board, lane, when to begin.")
@_EXIT_WITH_PARENT
def api(*, processes: int | None, seat: str | None, exit_with_parent: bool) -> int:
    """Run the HTTP API. SIGHUP replaces its processes one after the other."""
    if processes is not None:
        os.environ["ZYPHER_API_PROCESSES"] = str(processes)  # for a reload, too
    settings = _settings_with_redis()
    _watch_parent(settings, wanted=exit_with_parent)
    if seat is None:
        from zypher_jobs.supervisor.api_group import run_api

        return run_api(settings)
    from zypher_api.seat import Entry, Seat
    from zypher_api.server import serve

    listener, board, lane, entry = seat.split(",")
    return serve(settings, Seat.inherited(int(listener), int(board), int(lane), Entry(entry)))


@zypher.command()
@click.option("--replaces", is_flag=True, hidden=True, help="End if a model does not load.")
@_EXIT_WITH_PARENT
def worker(*, replaces: bool, exit_with_parent: bool) -> int:
    """Run one worker."""
    settings = _settings_with_redis()
    _watch_parent(settings, wanted=exit_with_parent)
    from zypher_jobs.worker.main import run_worker

    return run_worker(settings, replaces=replaces)


@zypher.command()
@click.option("--theme", type=click.Choice(["dark", "light", "contrast", "mono", "terminal", "none"]), help="Colours.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Instead of ~/.config/zypher/dashboard.toml."
)
@click.option("--fps", type=click.FloatRange(0.5, 4), help="Most frames in a second, such as 0.5 on a slow link. [2]")
@click.option("--keys", is_flag=True, help="Print all keys as such a file, and end.")
@_REPLAY
@_AT
@click.option("--demo", is_flag=True, help="Show a simulated system; nothing needs to run.")
@click.option("--read-only", is_flag=True, help="Change nothing: no cancel, replay, drop or pause.")
@click.option("--web", is_flag=True, help="Show it in a browser on this machine instead; needs zypher[web].")
@click.option("--port", type=click.IntRange(1, 65_535), default=8090, help="With --web: where. [8090]")
@_API_URL
@_REDIS
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
    _need_replay(replay, at)
    if web:
        given = {"theme": theme, "config": config_file, "fps": fps, "replay": replay, "at": at, "redis": redis_url}
        flags = {"demo": demo, "read-only": read_only}
        return _serve_tui({**given, "api-url": api_url}, flags, port=port)
    from zypher_tui.config import find_config

    config = find_config(config_file or _settings().dashboard)
    if fps is not None:
        import msgspec

        config = msgspec.structs.replace(config, fps=fps)
    if keys:
        from zypher_tui.app import keys_as_file

        click.echo(keys_as_file(config), nl=False)
        return 0
    if replay is not None:
        with _reading(replay):
            from zypher_tui.replaying import run_replay

            return run_replay(replay, config, at=at, theme=theme)
    if demo:
        from zypher_tui.demo import run_demo

        return run_demo(config, theme=theme)
    found_api_url, redis_url, api_key = _sources(api_url, redis_url)
    from zypher_tui.app import run_dashboard

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


@zypher.command()
@click.option("--once", is_flag=True, help="Print the figures of this moment and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: as JSON.")
@click.option("--watch", is_flag=True, help="Print them again and again: one JSON object a line.")
@click.option("--check", help="Conditions, such as p95_ms<300,dead==0: exit code 1 if one does not hold.")
@_REPLAY
@_AT
@click.option("--record", type=_FILE, help="Write what is seen into a file, until interrupted.")
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
@_API_URL
@_REDIS
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
    _need_replay(replay, at)
    if replay is not None:
        if not once and check is None:
            raise click.UsageError("zypher top --replay takes --once or --check. For a live view: zypher tui --replay")
        return _top_of_file(replay, at, check, as_json=as_json)
    found_api_url, redis_url, api_key = _sources(api_url, redis_url)
    if record is not None:
        from zypher_tui.recorder import Wanted, run_recorder

        wanted = Wanted(path=record, every_s=every_s, **recording)
        return run_recorder(wanted, api_url=found_api_url, redis_url=redis_url, api_key=api_key)
    from zypher_tui.top import Sources, print_again, print_once

    sources = Sources(api_url=found_api_url, redis_url=redis_url, api_key=api_key)
    if watch:
        return print_again(sources, every_s=every_s)
    return print_once(sources, as_json=as_json) if check is None else _check(sources, check)


def _need_replay(replay: Path | None, at: str | None) -> None:
    if replay is None and at is not None:
        raise click.UsageError("--at says a time of a recording: name it with --replay.")


def _top_of_file(path: Path, at: str | None, check: str | None, *, as_json: bool) -> int:
    with _reading(path):
        from zypher_tui.top import Moment, print_once

        moment = Moment(path=path, at=at)
        return print_once(moment, as_json=as_json) if check is None else _check(moment, check)


@contextmanager
def _reading(path: Path) -> Generator[None]:
    """What is wrong with a recording, or with a time of it, is one sentence."""
    from zypher_tui.core.durations import WrongTime
    from zypher_tui.core.recording import WrongRecording

    try:
        yield
    except WrongTime as error:
        raise click.BadParameter(str(error), param_hint="--at") from error
    except WrongRecording as error:
        raise InvalidInput(f"{path}: {error}") from error


def _check(origin: "Sources | Moment", conditions: str) -> int:
    from zypher_tui.core.checks import WrongCheck
    from zypher_tui.top import check_once

    try:
        return check_once(origin, conditions)
    except WrongCheck as error:
        raise click.BadParameter(str(error), param_hint="--check") from error


@zypher.command()
@click.argument("model")
@click.option("--rate", help="Requests per second; of a ramp or a spike: the highest. [20]")
@click.option("--callers", help="Instead of a rate: so many, each of which waits for its answer before it asks again.")
@click.option("--shape", type=click.Choice(["constant", "ramp", "spike"]), help="How the rate goes. [constant]")
@click.option("--for", "for_", metavar="TIME", help="How long: 500ms, 30s, 5m. [30s]")
@click.option("--total", help="Requests at most. [10000]")
@click.option("--limit", help="Requests per second at most, whatever else is said; up to 2000. [200]")
@click.option("--how", type=click.Choice(["sync", "async", "wait"]), help="Async; or async and wait for each. [sync]")
@click.option("--input", help="JSON, @FILE with one in each line, or - for stdin; by default the model's example.")
@click.option("--honor-retry-after", is_flag=True, help="Send nothing for as long as a refusal says.")
@click.option("--cancel", "cancels", is_flag=True, help="At the end cancel what this load left in the queue.")
@click.option("--check", default="", help="Conditions, such as p95_ms<300,failed==0: exit code 1 if one does not hold.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--allow-remote", "allows_remote", is_flag=True, help="Also where it is not this machine.")
@_API_URL
def load(
    *,
    for_: str | None,
    honor_retry_after: bool,
    cancels: bool,
    check: str,
    as_json: bool,
    allows_remote: bool,
    api_url: str | None,
    **said: str | None,
) -> int:
    """Send MODEL (or MODEL@VERSION) a bounded load, and print what came of it.

    Exit codes: 0 all conditions hold (without any: something ended well), 1 not, 2 it cannot be done like that.
    """
    found_api_url, _, api_key = _sources(api_url, None)
    from zypher_tui.load.command import Load, WrongLoad, run_load

    texts = {name: text for name, text in said.items() if text is not None}
    texts |= {"for": for_} if for_ is not None else {}
    texts |= {"retry_after": "honor"} if honor_retry_after else {}
    if "callers" in texts:
        if "rate" in texts or "shape" in texts:
            raise click.UsageError(
                "Callers ask when they have their answer: --callers goes without --rate and --shape."
            )
        texts["shape"] = "callers"
    asked = Load(
        url=found_api_url,
        api_key=api_key,
        texts=texts,
        allows_remote=allows_remote,
        as_json=as_json,
        check=check,
        cancels=cancels,
    )
    try:
        return run_load(asked)
    except WrongLoad as error:
        raise click.UsageError(str(error)) from error


@zypher.command()
@click.argument("name")
@click.option(
    "--form", type=click.Choice(["many", "one", "async", "stream"]), default="many", help="Of its predict. [many]"
)
@click.option(
    "--directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", help="Where to write it."
)
def new_model(*, name: str, form: str, directory: Path) -> int:
    """Write a model to begin from, and its test."""
    from zypher_jobs.scaffold import run_new_model

    return run_new_model(name, form, directory)


@zypher.command()
@click.argument("name")
@click.argument("input", required=False)
@click.option(
    "--timeout-s", type=click.FloatRange(min=0, min_open=True), help="Longest run; default: ZYPHER_RUN_TIMEOUT_S."
)
def predict(*, name: str, input: str | None, timeout_s: float | None) -> int:
    """Run a model once, without a server.

    NAME is that of a model that would be served, also NAME@VERSION, or module:Class, or a file.onnx. INPUT is JSON,
    @file or - for stdin.
    """
    from zypher_jobs.tryout import run_predict

    return run_predict(_settings(), name, input, timeout_s=timeout_s)


@zypher.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="The model; by default the file's name.")
@click.option("--version", help="The version; by default the begin of the file's SHA-256.")
@click.option("--description", help="One line.")
@click.option("--labels", help="What the classes are called, in their order: comma separated, or @FILE, one a line.")
@click.option("--hook", help="module:Class, installed there, that makes tensors of inputs and outputs of tensors.")
@click.option("--live", is_flag=True, help="Send all traffic to it; a model's first version gets it anyway.")
@_API_URL
def deploy(*, file: Path, labels: str | None, live: bool, api_url: str | None, **said: str | None) -> int:
    """Deploy an ONNX file as a version of a model, on every machine."""
    from zypher_jobs.deploy import deploy as deploy_file

    found_api_url, _, api_key = _sources(api_url, None)
    said_all = {**said, "labels": _labels(labels)}
    return deploy_file(found_api_url.rstrip("/"), file, said_all, live=live, api_key=api_key)


def _labels(text: str | None) -> list[str] | None:
    if text is None:
        return None
    if not text.startswith("@"):
        return [label.strip() for label in text.split(",")]
    try:
        return Path(text[1:]).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{text[1:]} cannot be read.", param_hint="--labels") from error


@zypher.group()
def keys() -> None:
    """Who may call the API. The first key closes it to all who have none."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["predict", "read", "operate", "deploy", "admin"]),
    help="What it may do; once for each. [predict]",
)
@click.option("--expires", help="After so long it is refused: 12h, 30d. By default never.")
@click.option("--requests", help="Requests it may make: 100/s, 1000/min.")
@click.option("--predictions", help="Predictions it may ask for: 100/s, 1000/min.")
@click.option("--concurrent", type=click.IntRange(min=1), help="Predictions of its that may wait and run at once.")
def create_key(*, name: str, scopes: tuple[str, ...], expires: str | None, **limits: str | int | None) -> int:
    """Make a key and print it; it is kept nowhere."""
    from zypher_jobs.key_commands import create

    return create(_settings_with_redis(), name, scopes or ("predict",), expires=expires, limits=limits)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_keys(*, as_json: bool) -> int:
    """Print all keys, without what proves them."""
    from zypher_jobs.key_commands import show

    return show(_settings_with_redis(), as_json=as_json)


@keys.command("revoke")
@click.argument("name")
def revoke_key(*, name: str) -> int:
    """Refuse a key from now on, by its name or its id."""
    from zypher_jobs.key_commands import revoke

    return revoke(_settings_with_redis(), name)


@zypher.command()
def openapi() -> int:
    """Print the OpenAPI document of the API, with the models that are set; nothing needs to run."""
    import msgspec

    from zypher_api.app import create_app
    from zypher_api.routes.docs import openapi_json

    settings = _settings()
    anywhere = settings.redis_url or "redis://127.0.0.1"  # nothing connects to it
    app = create_app(msgspec.structs.replace(settings, redis_url=anywhere))
    click.echo(msgspec.json.format(openapi_json(app)))
    return 0


@zypher.command()
def doctor() -> int:
    """Check every part and say what to do."""
    from zypher_jobs.doctor import run_doctor

    return run_doctor()


def _settings() -> "Settings":
    from zypher_jobs.settings import load_settings

    return load_settings()


def _settings_with_redis() -> "Settings":
    """The settings, with the Redis of the Zypher that runs on this data directory when none is set."""
    settings = _settings()
    if settings.redis_url is not None:
        return settings
    import msgspec

    from zypher_jobs.supervisor.data_dir import DataDir

    running = DataDir(settings.data_dir).running()
    if running is None or running.redis_url is None:
        raise StartError(_nothing_runs(settings))
    return msgspec.structs.replace(settings, redis_url=running.redis_url)


def _sources(api_url: str | None, redis_url: str | None) -> tuple[str, str | None, str | None]:
    """Where the dashboard reads: the API's URL, and Redis's and a key for the API if they are known."""
    from zypher_jobs.supervisor.data_dir import DataDir
    from zypher_jobs.supervisor.probes import api_url as url_of
    from zypher_jobs.supervisor.probes import is_listening

    settings = _settings()
    data_dir = DataDir(settings.data_dir)
    running = data_dir.running()
    redis_url = redis_url or settings.redis_url or (running.redis_url if running else None)
    found = api_url or settings.url or (running.api_url if running else url_of(settings))
    if redis_url is None and not is_listening(found):
        raise StartError(_nothing_runs(settings))
    is_own = running is not None and found.rstrip("/") == running.api_url.rstrip("/")
    return found, redis_url, settings.api_key or (data_dir.local_token() if is_own else None)


def _nothing_runs(settings: "Settings") -> str:
    return f"No Zypher runs on the data directory {settings.data_dir}: run `zypher up`, or set ZYPHER_REDIS_URL."


def _watch_parent(settings: "Settings", *, wanted: bool) -> None:
    if wanted:
        from zypher_jobs.supervisor.parent import drain_when_parent_is_gone

        drain_when_parent_is_gone(grace_s=settings.grace_s)


if __name__ == "__main__":
    main()

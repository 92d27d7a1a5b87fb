"""Commands for who has a model: begin one, run it once, deploy it."""

from pathlib import Path

import click

from zypher_jobs.commands.finding import find_settings, find_sources
from zypher_jobs.commands.options import API_URL


@click.command()
@click.argument("name")
@click.option(
    "--form", type=click.Choice(["many", "one", "async", "stream"]), default="many", help="Of its predict. [many]"
)
@click.option(
    "--directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", help="Where to write it."
)
def new_model(*, name: str, form: str, directory: Path) -> int:
    """Write a model to begin from, and its test."""
    from zypher_jobs.commands.scaffold import run_new_model

    return run_new_model(name, form, directory)


@click.command()
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
    from zypher_jobs.commands.tryout import run_predict

    return run_predict(find_settings(), name, input, timeout_s=timeout_s)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="The model; by default the file's name.")
@click.option("--version", help="The version; by default the begin of the file's SHA-256.")
@click.option("--description", help="One line.")
@click.option("--labels", help="What the classes are called, in their order: comma separated, or @FILE, one a line.")
@click.option("--hook", help="module:Class, installed there, that makes tensors of inputs and outputs of tensors.")
@click.option("--live", is_flag=True, help="Send all traffic to it; a model's first version gets it anyway.")
@API_URL
def deploy(*, file: Path, labels: str | None, live: bool, api_url: str | None, **said: str | None) -> int:
    """Deploy an ONNX file as a version of a model, on every machine."""
    from zypher_jobs.commands.deploying import deploy as deploy_file

    found_api_url, _, api_key = find_sources(api_url, None)
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

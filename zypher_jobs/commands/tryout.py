"""``zypher predict``: runs one model on one input, here and now. Its output is on stdout, all else on stderr."""

import asyncio
import contextlib
import logging
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from zypher_jobs.errors import ModelNotReady, PredictionFailed, SettingError, UnknownModel, ZypherError
from zypher_jobs.models.discovery import runtime_named
from zypher_jobs.models.once import predict_once
from zypher_jobs.models.registry import ModelRegistry
from zypher_jobs.models.served import ServedModel
from zypher_jobs.settings import Settings


def run_predict(settings: Settings, name: str, given: str | None, *, timeout_s: float | None) -> int:
    """Print the output of ``name`` for ``given``: JSON, ``@file``, or ``-`` for stdin; 1 when the model failed.

    ``name`` is that of a model that the settings serve, also ``name@version``, or ``module:Class``, or an ``.onnx``
    file. Raises ``ZypherError`` for what cannot be run.
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would say each request to another server
    with contextlib.redirect_stdout(sys.stderr):  # what a model prints is no output
        served = _find(settings, name)
        if given is None:
            example = served.definition.input_example
            given = "@FILE" if example is None else shlex.quote(msgspec.json.encode(example).decode())
            raise click.UsageError(f"Give it an input: zypher predict {name} {given}")
        watcher = _Watcher(sys.__stdout__ or sys.stdout)
        try:
            output = asyncio.run(
                predict_once(served, _read(given), timeout_s=timeout_s or settings.run_timeout_s, listener=watcher)
            )
        except (ModelNotReady, PredictionFailed) as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, ZypherError):
                click.echo("".join(traceback.format_exception(error.__cause__)), err=True)
            raise
    if not served.definition.streams:
        click.echo(output)
    return 0


def _find(settings: Settings, name: str) -> ServedModel:
    if ":" in name or name.endswith(".onnx"):
        return ServedModel(runtime_named(name, setting="zypher predict"))
    model, _, version = name.partition("@")
    try:
        return ModelRegistry.from_settings(settings).get(model, version or None)
    except UnknownModel as error:
        raise SettingError(f"{error.message} A class is named as module:Class.") from error


def _read(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given.encode()
    try:
        return Path(given[1:]).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingError(f"zypher predict: the file {given[1:]} cannot be read: {reason}.") from error


class _Watcher:
    """Shows what a prediction says while it runs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def progress(self, fraction: float, message: str) -> None:
        """On stderr."""
        click.echo(f"{fraction:4.0%} {message}".rstrip(), err=True)

    def log(self, line: str) -> None:
        """On stderr."""
        click.echo(line, err=True)

    def chunk(self, output: Any) -> None:
        """On stdout, as one line of JSON."""
        click.echo(msgspec.json.encode(output), file=self._out)

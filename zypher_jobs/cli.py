"""The ``zypher`` command: puts the :mod:`zypher_jobs.commands` together and makes an exit code of how one ended.

0 well, 1 not, 2 asked for what cannot be, 130 interrupted; what more a command says with its code stands in its help.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # an environment made by hand reaches this line
    sys.exit("Zypher needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))

import select
from typing import Any

import click

from zypher_jobs import __version__
from zypher_jobs.commands import about, keys, load, models, running, top, tui
from zypher_jobs.errors import InvalidInput, ModelDefinitionError, NotFound, SettingError, ZypherError


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


for _command in (
    *(running.up, running.reload, running.api, running.worker),
    *(tui.tui, top.top, load.load),
    *(models.new_model, models.predict, models.deploy),
    *(keys.keys, about.doctor, about.openapi),
):
    zypher.add_command(_command)


if __name__ == "__main__":
    main()

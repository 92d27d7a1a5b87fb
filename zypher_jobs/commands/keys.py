"""``zypher keys``: who may call the API."""

import click

from zypher_jobs.commands.finding import find_settings_with_redis


@click.group()
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
    from zypher_jobs.commands.issuing import create

    return create(find_settings_with_redis(), name, scopes or ("predict",), expires=expires, limits=limits)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_keys(*, as_json: bool) -> int:
    """Print all keys, without what proves them."""
    from zypher_jobs.commands.issuing import show

    return show(find_settings_with_redis(), as_json=as_json)


@keys.command("revoke")
@click.argument("name")
def revoke_key(*, name: str) -> int:
    """Refuse a key from now on, by its name or its id."""
    from zypher_jobs.commands.issuing import revoke

    return revoke(find_settings_with_redis(), name)

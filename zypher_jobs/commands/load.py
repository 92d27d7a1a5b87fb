"""``zypher load``: a bounded load on one model, and what came of it."""

import click

from zypher_jobs.commands.finding import find_sources
from zypher_jobs.commands.options import API_URL


@click.command()
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
@API_URL
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
    found_api_url, _, api_key = find_sources(api_url, None)
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

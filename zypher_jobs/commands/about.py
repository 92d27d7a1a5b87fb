"""Commands that look and change nothing: is every part well, and what can the API be asked."""

import click

from zypher_jobs.commands.finding import find_settings


@click.command()
def doctor() -> int:
    """Check every part and say what to do."""
    from zypher_jobs.commands.doctor import run_doctor

    return run_doctor()


@click.command()
def openapi() -> int:
    """Print the OpenAPI document of the API, with the models that are set; nothing needs to run."""
    import msgspec

    from zypher_api.app import create_app
    from zypher_api.routes.docs import openapi_json

    settings = find_settings()
    anywhere = settings.redis_url or "redis://127.0.0.1"  # nothing connects to it
    app = create_app(msgspec.structs.replace(settings, redis_url=anywhere))
    click.echo(msgspec.json.format(openapi_json(app)))
    return 0

"""What a command finds of the system it is for: the settings, and the Redis and the API of what runs on them."""

from typing import TYPE_CHECKING

from zypher_jobs.errors import StartError

if TYPE_CHECKING:
    from zypher_jobs.settings import Settings


def find_settings() -> "Settings":
    """The settings of the environment and of ``zypher.toml``. Raises ``SettingError``."""
    from zypher_jobs.settings import load_settings

    return load_settings()


def find_settings_with_redis() -> "Settings":
    """The settings, with the Redis of the Zypher that runs on this data directory when none is set.

    Raises ``SettingError``, and ``StartError`` when there is neither.
    """
    settings = find_settings()
    if settings.redis_url is not None:
        return settings
    import msgspec

    from zypher_jobs.supervisor.data_dir import DataDir

    running = DataDir(settings.data_dir).running()
    if running is None or running.redis_url is None:
        raise StartError(_nothing_runs(settings))
    return msgspec.structs.replace(settings, redis_url=running.redis_url)


def find_sources(
    api_url: str | None, redis_url: str | None, *, may_be_away: bool = False
) -> tuple[str, str | None, str | None]:
    """Where the dashboard reads: the API's URL, and Redis's and a key for the API if they are known.

    What is given goes before the settings, and they before what runs. Raises ``SettingError``, and ``StartError`` when
    an address can be none, or nothing is there to read; an address that was named ``may_be_away``.
    """
    from zypher_jobs.supervisor.data_dir import DataDir
    from zypher_jobs.supervisor.probes import address_of, is_listening
    from zypher_jobs.supervisor.probes import api_url as url_of

    settings = find_settings()
    data_dir = DataDir(settings.data_dir)
    running = data_dir.running()
    if redis_url is not None:
        from zypher_jobs.settings import usable_redis_url

        usable_redis_url(redis_url, "--redis")
    redis_url = redis_url or settings.redis_url or (running.redis_url if running else None)
    named = api_url or settings.url
    found = named or (running.api_url if running else url_of(settings))
    address_of(found)
    if not (named and may_be_away) and redis_url is None and not is_listening(found):
        raise StartError(_nothing_runs(settings))
    is_own = running is not None and found.rstrip("/") == running.api_url.rstrip("/")
    return found, redis_url, settings.api_key or (data_dir.local_token() if is_own else None)


def _nothing_runs(settings: "Settings") -> str:
    return f"No Zypher runs on the data directory {settings.data_dir}: run `zypher up`, or set ZYPHER_REDIS_URL."

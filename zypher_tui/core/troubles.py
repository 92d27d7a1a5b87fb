"""What keeps figures away, and the way out of it: for whoever sees the dashboard for the first time."""

import re
import shlex
from collections.abc import Callable, Mapping

import msgspec

from zypher_jobs import __version__
from zypher_tui.core.readings import Fault, SourceName
from zypher_tui.core.view import Link, LinkView, View

ELSEWHERE = "http://HOST:8080"
"""What stands for an address that only the person knows."""
REDIS_ELSEWHERE = "redis://HOST:6379"
DOCTOR = "zypher doctor"


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the sources are, as it may be shown."""

    api_url: str
    redis: str = ""
    """Without user and password; empty: no address of it is known."""
    has_key: bool = False
    """Whether the API was asked with one."""


class Way(msgspec.Struct, frozen=True):
    """Out of it."""

    says: str
    command: str = ""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """With one source."""

    source: SourceName
    link: Link
    address: str
    since_s: float | None
    says: str
    """What is the matter, in a sentence."""
    ways: tuple[Way, ...] = ()


def shown_address(url: str) -> str:
    """A Redis URL without what may be secret: user, password and options."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2].partition("?")[0]


def troubles_of(view: View, addresses: Addresses, *, asked_s: float = 0.0) -> list[Trouble]:
    """Of each source that is not up; ``asked_s``: for how long they have been asked."""
    return [_trouble(each, addresses, asked_s, view.version) for each in view.links if each.link is not Link.UP]


def _sentence(reason: str | None) -> str:
    says = (reason or "it does not answer").rstrip(". ")
    return f"{says[:1].upper()}{says[1:]}."


def _trouble(link: LinkView, addresses: Addresses, asked_s: float, version: str | None) -> Trouble:
    is_api = link.source is SourceName.API
    says, ways = _api(link, addresses, version) if is_api else _redis(link, addresses)
    return Trouble(
        source=link.source,
        link=link.link,
        address=addresses.api_url if is_api else addresses.redis,
        since_s=asked_s if is_api and link.link is Link.CONNECTING else link.since_s,
        says=says,
        ways=ways,
    )


def _api(link: LinkView, addresses: Addresses, version: str | None) -> tuple[str, tuple[Way, ...]]:
    if link.link is Link.CONNECTING:
        return "Asked, and no answer yet. One that is asleep or far away takes a while.", (
            Way("If it is elsewhere, name its address:", _tui(ELSEWHERE)),
        )
    if link.fault is Fault.KEY:
        is_known = "It does not know the key of ZYPHER_API_KEY: a wrong, revoked or expired one (401)."
        says = is_known if addresses.has_key else "It wants a key, and was asked without one (401)."
        return says, _key(addresses)
    if link.fault is Fault.VERSION:
        return _sentence(link.reason), _version(version or "")
    return _sentence(link.reason), _API_WAYS.get(link.fault or Fault.OTHER, _look)(addresses)


def _redis(link: LinkView, addresses: Addresses) -> tuple[str, tuple[Way, ...]]:
    if link.link is Link.CONNECTING:
        return "Asked as soon as the API has answered, or failed to, and has no figures.", ()
    if link.link is Link.UNKNOWN:
        return "No address of it is known here, so nothing is seen while the API is away.", (
            Way("With one, figures would go on:", f"zypher tui --redis {REDIS_ELSEWHERE}"),
        )
    if not addresses.redis or link.fault is None:
        return _sentence(link.reason), (Way("The API says so. On its machine, this looks at all parts:", DOCTOR),)
    if link.fault is Fault.PASSWORD:
        return "It refuses the user or the password of its address, or wants some.", _password(addresses)
    return _sentence(link.reason), _REDIS_WAYS.get(link.fault, _look_at_redis)(addresses)


def _tui(url: str) -> str:
    return f"zypher tui --api-url {shlex.quote(url)}"


def _is_here(url: str) -> bool:
    return _host_of(url) in ("127.0.0.1", "localhost", "::1")


def _host_of(url: str) -> str:
    """Of a URL that was checked: ``http://[::1]:8080`` → ``::1``."""
    found = re.match(r"\w[\w+]*://(?:[^/@]*@)?(?:\[([^]/]*)]|([^:/?#]*))", url)
    return (found[1] or found[2] or "").lower() if found else ""


def _probe(url: str) -> str:
    return f"curl -m 5 {shlex.quote(url.rstrip('/') + '/health/live')}"


def _start(to: Addresses) -> tuple[Way, ...]:
    if _is_here(to.api_url):
        return (
            Way("Nothing listens there. This starts everything on this machine:", "zypher up"),
            Way("If it runs elsewhere, name its address:", _tui(ELSEWHERE)),
        )
    return (
        Way("That machine is there, and nothing listens on that port. On it, this starts the API for others to reach:",
            "ZYPHER_HOST=0.0.0.0 zypher api"),
        Way("If the port is another one, name it:", _tui(ELSEWHERE)),
    )  # fmt: skip


def _name_it(to: Addresses) -> tuple[Way, ...]:
    host = _host_of(to.api_url)
    return (Way(f"No machine called {host} is found from here. Is it spelt like that?", _tui(ELSEWHERE)),)


def _wait(to: Addresses) -> tuple[Way, ...]:
    if _is_here(to.api_url):
        return (Way("Its process stands still, or has too much to do. This looks at all parts:", DOCTOR),)
    return (
        Way("The machine is off, a firewall is between, or its process stands still. See whether it answers at all:",
            _probe(to.api_url)),
    )  # fmt: skip


def _look(to: Addresses) -> tuple[Way, ...]:
    return (Way("See what it says itself:", _probe(to.api_url)),)


def _other_program(to: Addresses) -> tuple[Way, ...]:
    return (
        Way("Another program has that address. See what it says:", f"curl -i -m 5 {shlex.quote(to.api_url)}"),
        Way("Zypher's own port is 8080, or that of ZYPHER_PORT. Name it:", _tui(ELSEWHERE)),
    )


def _hangs_up(to: Addresses) -> tuple[Way, ...]:
    if to.api_url.startswith("https:"):
        return _other_program(to)
    return (*_with_scheme("https", "If it speaks TLS, ask it with https:")(to), *_other_program(to)[1:])


def _with_scheme(scheme: str, says: str) -> Callable[[Addresses], tuple[Way, ...]]:
    def ways(to: Addresses) -> tuple[Way, ...]:
        return (Way(says, _tui(re.sub(r"^\w+:", f"{scheme}:", to.api_url))),)

    return ways


def _certificate(to: Addresses) -> tuple[Way, ...]:
    return (Way("Trust the authority that signed it:", f"SSL_CERT_FILE=ca.pem {_tui(to.api_url)}"),)


_MAKE = "zypher keys create dashboard --scope read"
_USE = "ZYPHER_API_KEY=zk_… "


def _key(to: Addresses) -> tuple[Way, ...]:
    return (
        Way("On its machine, this makes one to look with (and with --scope operate to act, too):", _MAKE),
        Way("and start the dashboard with it:", _USE + _tui(to.api_url)),
    )


def _scope(to: Addresses) -> tuple[Way, ...]:
    return (
        Way("To look takes the scope read. On its machine, this makes a key that has it:", _MAKE),
        Way("and start the dashboard with it:", _USE + _tui(to.api_url)),
    )


def _near_only(to: Addresses) -> tuple[Way, ...]:
    return (
        Way("It serves its own machine only, until it has a key. On that machine, this makes one:", _MAKE),
        Way("and start the dashboard with it:", _USE + _tui(to.api_url)),
    )


def _version(theirs: str) -> tuple[Way, ...]:
    if theirs == __version__:
        return (Way("It is of the same version as this dashboard. Is something between them?"),)
    is_known = re.fullmatch(r"[0-9][0-9A-Za-z.+-]*", theirs) is not None  # it becomes a command
    says = f"It is Zypher {theirs}, this" if is_known else "It may be another version. This"
    command = f"pip install zypher=={theirs}" if is_known else "pip install --upgrade zypher"
    return (
        Way(f"{says} dashboard is of Zypher {__version__}. Install the same, or start the one beside it:", command),
    )


_API_WAYS: Mapping[Fault, Callable[[Addresses], tuple[Way, ...]]] = {
    Fault.REFUSED: _start,
    Fault.NO_HOST: _name_it,
    Fault.SILENT: _wait,
    Fault.UNREACHABLE: _look,
    Fault.FOREIGN: _other_program,
    Fault.CLOSED: _hangs_up,
    Fault.TLS: _with_scheme("https", "Ask it with https:"),
    Fault.NO_TLS: _with_scheme("http", "Ask it with http:"),
    Fault.CERTIFICATE: _certificate,
    Fault.SCOPE: _scope,
    Fault.NEAR_ONLY: _near_only,
}


def _start_redis(to: Addresses) -> tuple[Way, ...]:
    if to.redis.startswith("unix:") or _is_here(to.redis):
        return (Way("It is not running. This starts everything on this machine:", "zypher up"), _other_redis(to))
    return (_ping(to), _other_redis(to))


def _look_at_redis(to: Addresses) -> tuple[Way, ...]:
    return (_ping(to), _other_redis(to))


def _ping(to: Addresses) -> Way:
    return Way("See whether it answers from here:", f"redis-cli -u {shlex.quote(to.redis)} ping")


def _other_redis(to: Addresses) -> Way:
    del to
    return Way("If it is elsewhere, name its address:", f"zypher tui --redis {REDIS_ELSEWHERE}")


def _password(to: Addresses) -> tuple[Way, ...]:
    scheme, separator, place = to.redis.partition("://")
    return (
        Way(
            "Both belong into its address, with %40 for an @:",
            f"ZYPHER_REDIS_URL={scheme}{separator}USER:PASSWORD@{place} zypher tui",
        ),
    )


_REDIS_WAYS: Mapping[Fault, Callable[[Addresses], tuple[Way, ...]]] = {
    Fault.REFUSED: _start_redis,
    Fault.FOREIGN: lambda to: (_other_redis(to),),
    Fault.NO_HOST: lambda to: (_other_redis(to),),
}

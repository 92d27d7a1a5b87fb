"""Where deliveries may go: what is public, and what ``ZYPHER_WEBHOOK_ALLOW`` names.

Whoever may name a URL could otherwise have this server speak to what only it can reach: itself, its neighbors, the
metadata service of its cloud.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from zypher_jobs.contracts.webhook import MOST_URL_CHARS
from zypher_jobs.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""What is given out. IPv4-mapped (::ffff:0:0/96) and NAT64 addresses (64:ff9b::/96, 64:ff9b:1::/48) are outside."""
_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),  # Teredo and the like, documentation, 6to4
        *("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),  # CGNAT, protocols, 6to4, benchmarks
    )
]


class AddressPolicy:
    """Which addresses a delivery may connect to."""

    def __init__(self, allow: Sequence[str]) -> None:
        """``allow``: host names, whatever their addresses, and addresses or networks in CIDR notation."""
        networks = {each: network_of(each) for each in allow}
        self._networks = [network for network in networks.values() if network is not None]
        self._hosts = {name.lower() for name, network in networks.items() if network is None}

    def permits(self, host: str, address: str) -> bool:
        """Whether a connection for a host may go to that address, which it was resolved to."""
        if host.lower().rstrip(".") in self._hosts:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        return is_public(found) or any(found in network for network in self._networks)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order in which to try them; raises ``OSError``.

    Each in a thread of its own: the loop has few threads for names, and those of a slow name server would hold up the
    others, Redis' own too. Nobody waits for it when the process ends.
    """
    looking: Future[list[Any]] = Future()
    Thread(target=_look_up, args=(looking, host, port), name="zypher-look-up", daemon=True).start()
    found = await asyncio.wrap_future(looking)
    return list(dict.fromkeys(info[4][0] for info in found))


def _look_up(looking: Future[list[Any]], host: str, port: int) -> None:
    looking.set_running_or_notify_cancel()
    try:
        looking.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError) as error:
        looking.set_exception(error)


def is_public(address: Address) -> bool:
    """Whether it is one that anybody can reach: not private, loopback, link-local, multicast, unspecified, CGNAT…"""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _REFUSED)


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or a network; ``None`` for a host name."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def require_url(url: str, policy: AddressPolicy, *, field: str) -> None:
    """Raises ``InvalidInput`` for what no delivery can go to. A name is resolved later, at each attempt."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    is_clean = url.isascii() and url.isprintable() and " " not in url and len(url) <= MOST_URL_CHARS
    if not is_clean or parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or port == 0:
        raise InvalidInput(
            "A webhook's URL must be like https://example.com/hook: http or https, without user, spaces or other than "
            f"ASCII, and no longer than {MOST_URL_CHARS:,} characters.",
            field=field,
        )
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    if not policy.permits(host, host):
        raise InvalidInput(refusal(host, [host]), field=field)


def refusal(host: str, addresses: Sequence[str]) -> str:
    """Why nothing is sent there, and the way out."""
    what = host if list(addresses) == [host] else f"{host} ({', '.join(addresses[:3])})"
    return f"{what} is no public address; ZYPHER_WEBHOOK_ALLOW names those that may be told all the same."

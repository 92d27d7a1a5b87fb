"""The port of the API. The supervisor listens, and every API process inherits its socket.

With one socket for all, a connection that no process has accepted yet is not lost with any of them. (With SO_REUSEPORT
each would have a backlog of its own, which is reset when it closes.)
"""

import errno
import socket

from zypher_jobs.errors import StartError

BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises ``StartError`` in one sentence that says which setting to change."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(f"ZYPHER_HOST={host} is not an address or a name that is known here.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(_port_sentence(host, port, error)) from error
    return listener


def _port_sentence(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is taken by another program; stop that or set ZYPHER_PORT."
        case errno.EACCES:
            return f"Port {port} may be used by the system's administrator only; set ZYPHER_PORT to one above 1023."
        case errno.EADDRNOTAVAIL:
            return f"ZYPHER_HOST={host} is not an address of this machine; 127.0.0.1 always is."
        case _:
            return f"The API cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}."

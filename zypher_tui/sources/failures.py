"""Why a source did not answer: a few words, and which kind of trouble it is. HTTP clients hide it behind exceptions."""

import socket
import ssl
from collections.abc import Iterator

import msgspec

from zypher_tui.core.readings import Fault


class Failure(msgspec.Struct, frozen=True):
    """Of a connection or a question."""

    says: str
    """The end of a sentence: ``connection refused``."""
    fault: Fault


_BY_NAME = {
    "AuthenticationError": Fault.PASSWORD,
    "AuthenticationWrongNumberOfArgsError": Fault.PASSWORD,
    "AuthorizationError": Fault.PASSWORD,
    "NoPermissionError": Fault.PASSWORD,
    "InvalidResponse": Fault.FOREIGN,
}
"""Exceptions of redis-py, which this room does not know."""
_NO_HTTP = ("RemoteProtocolError", "BadStatusLine")
"""Those of httpx and http.client, for what is no answer of HTTP."""
_TLS_ALERT = ("\x15\x03", "illegal request line")
"""How TLS begins to say no, as http.client has it, and what httpx calls an answer that begins with such a byte."""
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
"""What OpenSSL calls an answer that is no TLS."""


def reason(error: BaseException, *, timeout_s: float) -> str:
    """Why a connection failed, in a few words."""
    return failure_of(error, timeout_s=timeout_s).says


def failure_of(error: BaseException, *, timeout_s: float) -> Failure:
    """Why, and what kind of trouble it is."""
    for cause in _causes(error):
        if (found := _failure(cause, timeout_s)) is not None:
            return found
    return Failure(type(error).__name__, Fault.OTHER)


def _failure(cause: BaseException, timeout_s: float) -> Failure | None:  # noqa: PLR0911  # a table with conditions
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Failure(f"its certificate is not trusted here, {cause.verify_message}", Fault.CERTIFICATE)
    if isinstance(cause, ssl.SSLError):
        is_plain = cause.reason in _NOT_TLS
        return Failure("it speaks no TLS", Fault.NO_TLS) if is_plain else Failure("TLS failed", Fault.CERTIFICATE)
    if isinstance(cause, ConnectionRefusedError):
        return Failure("connection refused", Fault.REFUSED)
    if isinstance(cause, socket.gaierror):
        is_asked = cause.errno != socket.EAI_AGAIN
        return Failure("its host name is not known" if is_asked else "no name server answers", Fault.NO_HOST)
    if type(cause).__name__ in _NO_HTTP:
        return _no_http(str(cause))
    if isinstance(cause, FileNotFoundError):
        return Failure("its socket is not there", Fault.REFUSED)
    if isinstance(cause, ConnectionError):
        return Failure("it closed the connection", Fault.CLOSED)
    if isinstance(cause, TimeoutError):
        return Failure(f"no answer within {timeout_s:g} s", Fault.SILENT)
    if isinstance(cause, OSError) and cause.strerror:
        return Failure(cause.strerror[0].lower() + cause.strerror[1:], Fault.UNREACHABLE)
    return None


def _no_http(said: str) -> Failure:
    if any(alert in said for alert in _TLS_ALERT):
        return Failure("it speaks TLS", Fault.TLS)
    if "disconnected" in said:
        return Failure("it closed the connection", Fault.CLOSED)
    return Failure("it speaks no HTTP", Fault.FOREIGN)


def named(error: BaseException) -> Fault | None:
    """The kind of trouble that an exception of redis-py stands for, if that has a way out of its own."""
    return next((_BY_NAME[name] for each in _causes(error) if (name := type(each).__name__) in _BY_NAME), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps and what it was raised from, depth first; a loop among them ends."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        waiting.extend(linked for linked in (current.__context__, current.__cause__) if linked is not None)

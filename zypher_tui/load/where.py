"""Where a load may go, and what it sends there: the outside of a plan."""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from zypher_tui.load.inputs import read_inputs


def why_not(url: str) -> str | None:
    """Why nothing is sent there: it is not this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return None
    try:
        if ipaddress.ip_address(host).is_loopback:
            return None
    except ValueError:
        pass
    return f"{url} is not on this machine, and load goes to 127.0.0.1 only. If it is yours: zypher load --allow-remote"


def inputs_of(text: str, example: bytes) -> list[bytes]:
    """What was typed as the input: JSON, ``@FILE``, or nothing for the model's example. Raises ``ValueError``."""
    if not text.strip():
        return [example]
    if not text.startswith("@"):
        return read_inputs(text.encode())
    try:
        return read_inputs(Path(text[1:]).expanduser().read_bytes())
    except OSError as error:
        raise ValueError(f"{text[1:]} cannot be read: {error.strerror or error}.") from error

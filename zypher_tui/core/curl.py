"""A prediction as a command for a shell."""

import shlex
from typing import Any

from zypher_jobs.contracts.prediction import Mode, Prediction, Priority
from zypher_tui.core.values import plain_json

KEY = '-H "Authorization: Bearer $ZYPHER_API_KEY"'
"""The shell puts it in; no command ever holds a key."""
MOST_CHARS = 60_000
"""Of an argument; Linux takes 128 KiB. A longer body goes through a here document."""
_JSON = "-H 'Content-Type: application/json'"


def curl_of(prediction: Prediction, given: Any, *, api_url: str, with_key: bool) -> str:
    """The command that asks the same again: of the same version, with the same input, in the same queue."""
    url = api_url.rstrip("/")
    headers = [*([KEY] if with_key else []), _JSON]
    if prediction.priority is not Priority.NORMAL and prediction.mode is Mode.ASYNC:
        one = {"model": prediction.model, "version": prediction.version or None, "priority": prediction.priority.value}
        body = [{name: value for name, value in one.items() if value is not None} | {"input": given}]
        return _command(f"{url}/predictions", headers, plain_json(body))
    if prediction.mode is Mode.ASYNC:
        headers.append("-H 'Async-Mode: true'")
    version = f"/versions/{prediction.version}" if prediction.version else ""
    return _command(f"{url}/models/{prediction.model}{version}/predict", headers, plain_json(given))


def _command(url: str, headers: list[str], body: str) -> str:
    start = " ".join(["curl", shlex.quote(url), *headers])
    if len(body) <= MOST_CHARS:
        return f"{start} -d {shlex.quote(body)}"
    return f"{start} --data-binary @- <<'EOF'\n{body}\nEOF"

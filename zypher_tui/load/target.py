"""What a load asks of an API: its models, predictions, how those stand that wait, and to cancel them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.cleaning import clean
from zypher_tui.load.lanes import Answer, Lanes, NoAnswer
from zypher_tui.sources.source import MOST_IDS

PATIENCE_S = 30.0
"""For an answer."""
LOOK_S = 5.0
"""For what is asked about the load itself."""
CANCEL_AT_ONCE = 1_000
"""As many ids as the API takes."""
SENTENCE_CHARS = 160

_JSON = {"Content-Type": "application/json"}
_ASYNC = _JSON | {"Async-Mode": "true"}


class TargetAway(ValueError):
    """The API does not do what it was asked for; the message is a whole sentence."""


class LoadModel(msgspec.Struct, frozen=True, kw_only=True):
    """One that can be asked."""

    name: str
    ready: bool = True
    input_example: msgspec.Raw = msgspec.Raw(b"null")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request."""

    status: int
    """0: no answer."""
    prediction_id: str = ""
    ended: Status | None = None
    """Of one that was asked about: ``None`` while it has not ended."""
    retry_after_s: float | None = None
    label: str = ""
    """What kind of error: ``503 overloaded``, ``connection refused``."""
    said: str = ""


class Target(Protocol):
    """Where a load goes."""

    async def send(self, path: str, body: bytes, *, is_async: bool) -> Reply:
        """Ask for a prediction. Raises nothing for what goes wrong: that is a reply too."""
        ...

    async def wait_for(self, prediction_id: str) -> Reply:
        """How it stands, once it has ended or after half a minute."""
        ...

    async def statuses(self, prediction_ids: Sequence[str]) -> Mapping[str, Status]:
        """Of those (at most ``MOST_IDS``) that are still there. Raises ``TargetAway``."""
        ...

    async def cancel(self, prediction_ids: Sequence[str]) -> None:
        """Cancel these and no others. Raises ``TargetAway``."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class _Models(msgspec.Struct):
    models: list[LoadModel]


class _Problem(msgspec.Struct):
    code: str = ""
    detail: str = ""


class _Failure(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Prediction(msgspec.Struct):
    prediction_id: str = ""
    status: Status | None = None
    error: _Failure | None = None


class _Page(msgspec.Struct):
    predictions: list[_Prediction]


_read_models = msgspec.json.Decoder(_Models)
_read_problem = msgspec.json.Decoder(_Problem)
_read_prediction = msgspec.json.Decoder(_Prediction)
_read_page = msgspec.json.Decoder(_Page)


class ApiTarget:
    """The API at ``url``."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self._lanes = Lanes(url, api_key=api_key)

    async def models(self) -> list[LoadModel]:
        """Those that there are. Raises ``TargetAway``."""
        found: list[LoadModel] = (await self._read(_read_models, "/models")).models
        return [model for model in found if model.name == clean(model.name)]

    async def send(self, path: str, body: bytes, *, is_async: bool) -> Reply:
        """See ``Target``."""
        headers = _ASYNC if is_async else _JSON
        try:
            answer = await self._lanes.request("POST", path, body=body, headers=headers, timeout_s=PATIENCE_S)
        except NoAnswer as error:
            return Reply(status=0, label=str(error))
        if answer.status >= 300:
            return _refusal(answer)
        return Reply(status=answer.status, prediction_id=answer.headers.get(b"prediction-id", b"").decode("latin-1"))

    async def wait_for(self, prediction_id: str) -> Reply:
        """See ``Target``."""
        path = f"/predict/{prediction_id}?wait={PATIENCE_S:.0f}"
        try:
            answer = await self._lanes.request("GET", path, timeout_s=PATIENCE_S + LOOK_S)
        except NoAnswer as error:
            return Reply(status=0, label=str(error))
        if answer.status != 200:
            return _refusal(answer)
        try:
            found = _read_prediction.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Reply(status=0, label="its answer is not that of a Zypher API")
        ended = found.status if found.status is not None and found.status.is_terminal else None
        if ended is None or ended is Status.SUCCEEDED:
            return Reply(status=200, prediction_id=prediction_id, ended=ended)
        failure = found.error or _Failure()
        label = clean(f"{ended.value} {failure.code}".strip())[:80]
        said = clean(failure.message)[:SENTENCE_CHARS]
        return Reply(status=200, prediction_id=prediction_id, ended=ended, label=label, said=said)

    async def statuses(self, prediction_ids: Sequence[str]) -> Mapping[str, Status]:
        """See ``Target``."""
        page = await self._read(_read_page, f"/predictions?limit={MOST_IDS}&ids={','.join(prediction_ids)}")
        return {found.prediction_id: found.status for found in page.predictions if found.status is not None}

    async def cancel(self, prediction_ids: Sequence[str]) -> None:
        """See ``Target``. A key that may not operate cancels its own one by one."""
        for first in range(0, len(prediction_ids), CANCEL_AT_ONCE):
            some = prediction_ids[first : first + CANCEL_AT_ONCE]
            asked = msgspec.json.encode({"ids": some, "limit": len(some)})
            answer = await self._asked("POST", "/predictions/cancel", asked)
            if answer.status == 403:
                for prediction_id in some:
                    await self._asked("DELETE", f"/predict/{prediction_id}")
            elif answer.status != 200:
                raise TargetAway(_sentence(answer))

    async def aclose(self) -> None:
        """See ``Target``."""
        await self._lanes.aclose()

    async def _read(self, decoder: msgspec.json.Decoder[Any], path: str) -> Any:
        answer = await self._asked("GET", path)
        if answer.status != 200:
            raise TargetAway(_sentence(answer))
        try:
            return decoder.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TargetAway("It answers, but not as this version of Zypher does.") from error

    async def _asked(self, method: str, path: str, body: bytes = b"") -> Answer:
        try:
            return await self._lanes.request(method, path, body=body, headers=_JSON if body else None, timeout_s=LOOK_S)
        except NoAnswer as error:
            raise TargetAway(f"The API does not answer: {error}.") from error


def _refusal(answer: Answer) -> Reply:
    problem = _problem(answer)
    return Reply(
        status=answer.status,
        retry_after_s=_retry_after_s(answer),
        label=clean(f"{answer.status} {problem.code}".strip())[:80],
        said=clean(problem.detail)[:SENTENCE_CHARS],
    )


def _problem(answer: Answer) -> _Problem:
    try:
        return _read_problem.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Problem()


def _sentence(answer: Answer) -> str:
    if answer.status in (401, 403):
        return f"The API asks for a key that may do this ({answer.status}): set ZYPHER_API_KEY."
    detail = clean(_problem(answer).detail)[:SENTENCE_CHARS]
    return detail or f"The API answers {answer.status}; is it a Zypher API?"


def _retry_after_s(answer: Answer) -> float | None:
    """A whole number of seconds; a date is of no use to a load."""
    text = answer.headers.get(b"retry-after", b"")
    return float(text) if text.isdigit() else None

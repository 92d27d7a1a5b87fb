"""The API's JSON → clean Structs; shared by the dashboard's source and ``zypher top``."""

import re
from typing import Annotated, Any

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary
from zypher_jobs.contracts.stats import Health, Overview
from zypher_jobs.contracts.webhook import Delivery
from zypher_tui.core.cleaning import clean, cleaned
from zypher_tui.core.letters import DeadLetters
from zypher_tui.core.life import Given, given_of
from zypher_tui.core.readings import Fault, ending
from zypher_tui.sources.source import Intake, Refused, SourceAway

_overview = msgspec.json.Decoder(Overview)
_health = msgspec.json.Decoder(Health)
_dead_letters = msgspec.json.Decoder(DeadLetters)
_prediction = msgspec.json.Decoder(Prediction)


class _Page(msgspec.Struct):
    predictions: list[PredictionSummary]
    next: str | None = None


class _Deliveries(msgspec.Struct):
    deliveries: list[Delivery]


class _Letter(msgspec.Struct):
    prediction_id: str
    traceback: str = ""


class _Letters(msgspec.Struct):
    letters: list[_Letter]


class _Kept(msgspec.Struct):
    input: msgspec.Raw


class _Sized(msgspec.Struct):
    input_bytes: int = 0


class _Version(msgspec.Struct):
    version: str


class _Model(msgspec.Struct):
    input_schema: dict[str, Any] = {}
    versions: list[_Version] = []


class _Accepted(msgspec.Struct):
    prediction_id: str


class _ItemError(msgspec.Struct):
    detail: str
    field: str | None = None


class _Item(msgspec.Struct):
    prediction: _Accepted | None = None
    error: _ItemError | None = None


class _Submitted(msgspec.Struct):
    items: Annotated[list[_Item], msgspec.Meta(min_length=1)]


_model = msgspec.json.Decoder(_Model)
_submitted = msgspec.json.Decoder(_Submitted)


class _History(msgspec.Struct):
    frames: list[HistoryFrame]


_history = msgspec.json.Decoder(_History)
_page = msgspec.json.Decoder(_Page)
_deliveries = msgspec.json.Decoder(_Deliveries)
_letters = msgspec.json.Decoder(_Letters)
_kept = msgspec.json.Decoder(_Kept)
_sized = msgspec.json.Decoder(_Sized)


def overview(status: int, body: bytes) -> Overview:
    """``GET /stats``; raises ``SourceAway`` for a problem."""
    return cleaned(_decoded(_overview, status, body))


def health(status: int, body: bytes) -> Health:
    """``GET /health``, whose body is the same with 503."""
    return cleaned(_decoded(_health, 200 if status == 503 else status, body))


def prediction(status: int, body: bytes) -> Prediction:
    """``GET /predict/{id}``; its output is not cleaned: it is shown as lines, which ``clean_lines`` makes."""
    whole = _decoded(_prediction, status, body)
    return msgspec.structs.replace(cleaned(msgspec.structs.replace(whole, output=None)), output=whole.output)


def page(status: int, body: bytes) -> tuple[list[PredictionSummary], str | None]:
    """``GET /predictions``: the lines, and the cursor of the next page."""
    answer = _decoded(_page, status, body)
    return cleaned(answer.predictions), answer.next


class _Worker(msgspec.Struct):
    predictions: list[PredictionSummary]


_worker = msgspec.json.Decoder(_Worker)


def worker(status: int, body: bytes) -> list[PredictionSummary]:
    """``GET /workers/{id}``: what it runs."""
    return cleaned(_decoded(_worker, status, body).predictions)


def given(status: int, body: bytes) -> Given:
    """``GET /predictions/{id}/input``; not cleaned. Raises ``SourceAway``, also where it is not kept."""
    return Given(json=bytes(_decoded(_kept, status, body).input).decode(), is_whole=True)


def beginning(sized: tuple[int, bytes], listed: tuple[int, bytes], *, why: str) -> Given | None:
    """Out of a prediction and its line of the list: its input as far as that shows it; not cleaned."""
    lines: list[PredictionSummary] = _decoded(_page, *listed).predictions
    if not lines:
        return None
    return given_of(lines[0].input_preview, size_bytes=_decoded(_sized, *sized).input_bytes, why=why)


def dead_letters(status: int, body: bytes) -> DeadLetters:
    """``GET /dead-letters``; the tracebacks are left out."""
    found: DeadLetters = _decoded(_dead_letters, status, body)
    letters = [msgspec.structs.replace(each, traceback="") for each in found.letters]
    return cleaned(DeadLetters(groups=found.groups, letters=letters))


def traceback(status: int, body: bytes, prediction_id: str) -> str:
    """Out of ``GET /dead-letters``; not cleaned."""
    letters: list[_Letter] = _decoded(_letters, status, body).letters
    return next((each.traceback for each in letters if each.prediction_id == prediction_id), "")


def history(status: int, body: bytes) -> list[HistoryFrame]:
    """``GET /history``."""
    return cleaned(_decoded(_history, status, body).frames)


def deliveries(status: int, body: bytes) -> list[Delivery]:
    """``GET /predict/{id}/deliveries``."""
    return cleaned(_decoded(_deliveries, status, body).deliveries)


def intake(status: int, body: bytes) -> Intake:
    """``GET /models/{name}``."""
    model = _decoded(_model, status, body)
    return Intake(versions=tuple(each.version for each in model.versions), schema=model.input_schema)


def submitted(status: int, body: bytes) -> str:
    """``POST /predictions`` with one: its id. Raises ``Refused``."""
    if status >= 300:
        raise Refused(f"{_sentence(status, body)}.")
    item = _decoded(_submitted, 200, body).items[0]
    if item.error is not None:
        field = (item.error.field or "").replace("$[0].input", "$", 1)
        raise Refused(clean(f"{field}: {item.error.detail}" if field else item.error.detail)[:300])
    if item.prediction is None:
        raise SourceAway("it answers, but not as this version of Zypher expects")
    return clean(item.prediction.prediction_id)


class _Models(msgspec.Struct):
    models: list[ModelDetail]


_models = msgspec.json.Decoder(_Models)


def models(status: int, body: bytes) -> list[ModelDetail]:
    """``GET /deployments``."""
    return cleaned(_decoded(_models, status, body).models)


def changed(status: int, body: bytes) -> None:
    """A change of a model; raises ``Refused`` with the server's own sentence."""
    if status >= 300:
        raise Refused(_problem(body).detail or _sentence(status, body))


def _decoded(decoder: msgspec.json.Decoder[Any], status: int, body: bytes) -> Any:
    if status != 200:
        raise SourceAway(_sentence(status, body), _fault(status, body))
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceAway(
            f"it answers, but not as this version of Zypher expects ({clean(str(error))[:120]})", Fault.VERSION
        ) from error


class _Problem(msgspec.Struct):
    detail: str = ""
    code: str = ""


def _sentence(status: int, body: bytes) -> str:
    detail = _problem(body).detail
    if status == 401:
        return "it asks for a key (401): set ZYPHER_API_KEY to one that `zypher keys create NAME --scope read` prints"
    if status == 403:
        return f"{ending(detail) or 'this key may not do that'} (403)"
    return detail or f"it answers {status}; is it a Zypher API?"


def _fault(status: int, body: bytes) -> Fault | None:
    if status == 401:
        return Fault.KEY
    if status == 403:
        return Fault.NEAR_ONLY if _problem(body).code == "protected" else Fault.SCOPE
    return Fault.FOREIGN if status == 404 else None


def _problem(body: bytes) -> _Problem:
    """What is wrong, clean, where the answer says it as this API does."""
    try:
        said = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Problem()
    return _Problem(detail=clean(said.detail)[:200].rstrip(". "), code=said.code)


class _Live(msgspec.Struct):
    live: bool


_live = msgspec.json.Decoder(_Live)
_TITLE = re.compile(rb"<title[^>]*>\s*([^<]{1,80})", re.IGNORECASE)
_WANTS_TLS = re.compile(rb"HTTPS (port|server)|TLS", re.IGNORECASE)


def check_live(status: int, body: bytes, *, server: str, location: str) -> None:
    """``GET /health/live``, which everybody may ask; raises ``SourceAway`` for whatever is no Zypher.

    ``server`` and ``location`` are headers.
    """
    if status == 200:
        try:
            _live.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        else:
            return
    if 300 <= status < 400 and location.startswith("https:"):
        raise SourceAway("it wants to be asked with https", Fault.TLS)
    if status == 400 and _WANTS_TLS.search(body):
        raise SourceAway("it speaks TLS", Fault.TLS)
    if status in (502, 503, 504):
        raise SourceAway(f"a proxy before it answers {status}{_whose(body, server)}")
    raise SourceAway(f"what answers there is no Zypher: {status}{_whose(body, server)}", Fault.FOREIGN)


def _whose(body: bytes, server: str) -> str:
    """What an answer of another program says of itself."""
    title = _TITLE.search(body[:10_000])
    said = (clean(title[1].decode(errors="replace")).strip() if title else "", clean(server)[:60])
    return "".join(f", {each}" for each in said if each)

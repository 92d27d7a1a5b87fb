"""What a person does from the dashboard, over the API: one prediction or many, and queues. Answers are sentences."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_tui.core.cleaning import clean
from zypher_tui.core.deeds import Choice, Counted, Outcome, Verb, ending
from zypher_tui.core.tally import Step, Tally
from zypher_tui.sources.failures import reason

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CONNECT_TIMEOUT_S = 1.5
ANSWER_TIMEOUT_S = 20.0
"""One call to many works for 5 s by itself, and longer where the machine is busy."""
COUNTED_MOST = 200_000
"""Predictions that are looked at to count, at most."""
STEP = 1_000
"""Predictions of one call at most: of so many nobody knows where it has no answer."""
UNSAID = (500, 502, 504)
"""Answers of a server that failed in the middle, or of a proxy whose server said nothing. A 503 has done nothing."""
AGAIN = "Press the key again later for the rest; none is replayed twice."
ID_CHARS = 8

Progress = Callable[[int], bool]
"""Told how many are done by now; ``False`` stops before the next step."""


class OperatorError(Exception):  # a state of the world, as it is shown
    """It was not done; the message says why and the way out."""


class NoAnswer(OperatorError):
    """Nobody knows whether it was done."""

    def __init__(self, why: str) -> None:
        """``why`` is a sentence."""
        super().__init__(f"{ending(why)}: look whether it was done before you try again.")
        self.why = why


class Operator(Protocol):
    """One way to act."""

    async def one(self, verb: Verb, prediction_id: str) -> Outcome:
        """Do it to one prediction. Raises ``OperatorError``."""
        ...

    async def count(self, verb: Verb, choice: Choice) -> Counted:
        """How many it would be done to, by the server's own count; changes nothing. Raises ``OperatorError``."""
        ...

    async def many(self, choice: Choice, tally: Tally, progress: Progress) -> Outcome:
        """Do it to all of them, and keep count. Raises ``OperatorError``, which says what was done until then."""
        ...

    async def pause(self, queue: str) -> Outcome:
        """Have workers leave a queue alone. Raises ``OperatorError``."""
        ...

    async def resume(self, queue: str) -> Outcome:
        """Have workers take from it again. Raises ``OperatorError``."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class _Replay(msgspec.Struct):
    prediction_id: str
    replay_of: str = ""


class _Skip(msgspec.Struct):
    prediction_id: str
    code: str
    reason: str


class _Done(msgspec.Struct):
    touched: int
    skipped: int
    matched: int
    searched: int
    skips: list[_Skip] = []
    replays: list[_Replay] = []
    next: str | None = None
    stopped: str | None = None
    unknown: int = 0

    @property
    def queue_full(self) -> _Skip | None:
        """Where it stopped for want of room."""
        return next((skip for skip in self.skips if skip.code == "queue_full"), None)

    @property
    def step(self) -> Step:
        """All that counts, clean."""
        skips = [skip for skip in self.skips if skip.code != "queue_full"]
        return Step(
            touched=self.touched,
            skipped=self.skipped - (len(self.skips) - len(skips)),
            why=clean(skips[0].reason) if skips else "",
            unknown=self.unknown,
            replays={clean(each.replay_of): clean(each.prediction_id) for each in self.replays},
            left=frozenset(skip.prediction_id for skip in skips),
        )


class _Problem(msgspec.Struct):
    detail: str = ""


_done = msgspec.json.Decoder(_Done).decode
_prediction = msgspec.json.Decoder(Prediction).decode
_replay = msgspec.json.Decoder(_Replay).decode


class ApiOperator:
    """Acts on the API at ``url``."""

    def __init__(
        self, url: str, *, api_key: str | None = None, transport: "httpx.AsyncBaseTransport | None" = None
    ) -> None:
        """``transport``: how requests go, if not over the network."""
        import httpx  # noqa: PLC0415  # 120 ms, when somebody acts

        loopback = (urlsplit(url).hostname or "") in ("127.0.0.1", "localhost", "::1")
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else None,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=not loopback,  # a proxy of the environment cannot reach this machine's loopback
            verify=url.startswith("https:"),
            transport=transport,
        )
        self._http_error = httpx.HTTPError
        self._never_sent = (httpx.ConnectError, httpx.ConnectTimeout)

    async def one(self, verb: Verb, prediction_id: str) -> Outcome:
        """See ``Operator``."""
        short, place = clean(prediction_id)[:ID_CHARS], quote(prediction_id, safe="")
        if verb is Verb.CANCEL:
            now = await self._ask(_prediction, "DELETE", f"/predict/{place}")
            if now.status is Status.CANCELED:
                return Outcome(sentence=f"Canceled {short}.")
            if not now.status.is_terminal:
                return Outcome(sentence=f"{short} is being stopped.")
            return Outcome(sentence=f"{short} has ended before: {now.status}.", touched=0)
        if verb is Verb.RETRY:
            await self._ask(_nothing, "POST", f"/predictions/{place}/retry")
            return Outcome(sentence=f"Retried {short}: its next attempt is due now.")
        if verb is Verb.REPLAY:
            new = await self._ask(_replay, "POST", f"/predictions/{place}/replay")
            new_id = clean(new.prediction_id)
            sentence = f"Replayed {short}: the new one is {new_id[:ID_CHARS]}."
            return Outcome(sentence=sentence, replays={prediction_id: new_id})
        await self._ask(_nothing, "DELETE", f"/predictions/{place}")
        return Outcome(sentence=f"Dropped {short}.", gone=(prediction_id,))

    async def count(self, verb: Verb, choice: Choice) -> Counted:
        """See ``Operator``."""
        possible, skipped, searched, why, is_all = 0, 0, 0, "", True
        for body in choice.bodies(verb):
            before: str | None = None
            while True:
                try:
                    done = await self._step(verb, {**body, "dry_run": True}, before)
                except NoAnswer as error:
                    raise OperatorError(f"{error.why} Nothing was done.") from error
                possible, skipped, searched = possible + done.touched, skipped + done.skipped, searched + done.searched
                why = why or _why(done)
                before = done.next
                if before is None or searched >= COUNTED_MOST:
                    is_all = is_all and before is None
                    break
        return Counted(possible=possible, skipped=skipped, why=why, is_all=is_all)

    async def many(self, choice: Choice, tally: Tally, progress: Progress) -> Outcome:
        """See ``Operator``."""
        for body in choice.bodies(tally.verb):
            before: str | None = None
            while tally.room != 0:
                done = await self._counted_step(tally, body, before)
                why = done.stopped or (full.reason if (full := done.queue_full) else "")
                if why:
                    raise OperatorError(
                        tally.broken_off(f"{ending(clean(why))}. {AGAIN}" if done.queue_full else clean(why))
                    )
                goes_on, before = progress(tally.touched), done.next
                if not goes_on:
                    return tally.stopped()
                if before is None:
                    break
        return tally.ended(choice.ids)

    async def pause(self, queue: str) -> Outcome:
        """See ``Operator``."""
        await self._ask(_nothing, "POST", f"/queues/{queue}/pause")
        return Outcome(sentence=f"Paused queue {queue}: what is submitted waits, what runs ends.")

    async def resume(self, queue: str) -> Outcome:
        """See ``Operator``."""
        await self._ask(_nothing, "POST", f"/queues/{queue}/resume")
        return Outcome(sentence=f"Resumed queue {queue}.")

    async def aclose(self) -> None:
        """See ``Operator``."""
        await self._client.aclose()

    async def _step(self, verb: Verb, body: Mapping[str, object], before: str | None) -> _Done:
        asked = {**body, "before": before} if before else body
        return await self._ask(_done, "POST", f"/predictions/{verb}", json=asked)

    async def _counted_step(self, tally: Tally, body: Mapping[str, object], before: str | None) -> _Done:
        most = STEP if tally.room is None else min(STEP, tally.room)  # no more than was agreed to
        if "ids" not in body:
            body = {**body, "limit": most}
        tally.begin(most)
        try:
            done = await self._step(tally.verb, body, before)
        except NoAnswer as error:
            tally.lose()
            raise OperatorError(tally.broken_off(error.why)) from error
        except OperatorError as error:
            tally.refused()
            raise OperatorError(tally.broken_off(str(error))) from error
        tally.add(done.step)
        return done

    async def _ask(self, decode: Callable[[bytes], T], method: str, path: str, *, json: Any = None) -> T:
        try:
            answer = await self._client.request(method, path, json=json)
        except self._never_sent as error:
            why = reason(error, timeout_s=CONNECT_TIMEOUT_S)
            raise OperatorError(f"The API is away ({why}), so it was not done. Try again when it is back.") from error
        except self._http_error as error:
            why = reason(error, timeout_s=ANSWER_TIMEOUT_S)
            raise NoAnswer(f"The API gave no answer ({why}).") from error
        if answer.status_code in UNSAID:
            raise NoAnswer(_sentence(answer.status_code, answer.content, ""))
        if answer.status_code >= 300:
            raise OperatorError(_sentence(answer.status_code, answer.content, answer.headers.get("retry-after", "")))
        try:
            return decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoAnswer("The API answers, but not as this version of Zypher expects.") from error


def _nothing(content: bytes) -> None:
    del content


def _why(done: _Done) -> str:
    return clean(done.skips[0].reason) if done.skips else ""


def _sentence(status: int, body: bytes, retry_after: str) -> str:
    try:
        detail = clean(msgspec.json.decode(body, type=_Problem).detail)[:300]
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = ""
    said = detail or f"The API answers {status}; is it a Zypher API?"
    if status == 401:
        return f"{said} Give the dashboard one in ZYPHER_API_KEY; `zypher keys create NAME --scope operate` makes it."
    if status == 403 and "scope" in said:
        return f"{said} `zypher keys create NAME --scope operate` makes one; give it in ZYPHER_API_KEY."
    if status in (429, 503) and retry_after.isdigit():
        return f"{ending(said)}. Try again in {retry_after} s."
    return said

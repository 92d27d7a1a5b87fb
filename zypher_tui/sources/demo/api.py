"""The simulated system's HTTP, as far as an operator needs it: what acts on an API acts on this one, call for call."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from zypher_jobs.contracts.operation import BulkRequest
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import Conflict, NotFound, ZypherError
from zypher_tui.core.deeds import Verb
from zypher_tui.core.readings import SourceName
from zypher_tui.sources.demo.hands import Hands
from zypher_tui.sources.demo.records import Run
from zypher_tui.sources.demo.system import DemoSystem

SKIPS_SHOWN = 100
_read_bulk = msgspec.json.Decoder(BulkRequest).decode


class SimulatedApi(httpx.AsyncBaseTransport):
    """Answers at once."""

    def __init__(self, system: DemoSystem, hands: Hands, clock_s: Callable[[], float]) -> None:
        self._system = system
        self._hands = hands
        self._clock_s = clock_s
        self._rests: dict[str, list[str]] = {}
        """Cursor → ids that are still to be acted on."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See ``httpx.AsyncBaseTransport``."""
        self._system.advance(self._clock_s())
        if SourceName.API in self._system.away:
            raise httpx.ConnectError("connection refused") from ConnectionRefusedError()
        body = await request.aread()
        try:
            status, answer = self._answer(request.method, request.url.path.strip("/").split("/"), body)
        except ZypherError as error:
            status, answer = 404 if isinstance(error, NotFound) else 409, {"detail": error.message}
        return httpx.Response(status, content=msgspec.json.encode(answer))

    def _answer(self, method: str, path: list[str], body: bytes) -> tuple[int, Any]:
        match method, *path:
            case "DELETE", "predict", prediction_id:
                run = self._hands.cancel(prediction_id)
                return 202 if run.status is Status.RUNNING else 200, self._system.prediction(prediction_id)
            case "POST", "predictions", prediction_id, "retry":
                self._hands.retry(prediction_id)
                return 200, self._system.prediction(prediction_id)
            case "POST", "predictions", prediction_id, "replay":
                return 202, _replayed(self._hands.replay(prediction_id))
            case "DELETE", "predictions", prediction_id:
                self._hands.drop(prediction_id)
                return 200, {}
            case "POST", "predictions", verb if verb in set(Verb):
                return 200, self._bulk(Verb(verb), _read_bulk(body))
            case "POST", "queues", queue, "pause" | "resume" as turn:
                self._hands.turn(queue, paused=turn == "pause")
                return 200, {}
            case _:
                raise Conflict("The simulated system has nothing like that.")

    def _bulk(self, verb: Verb, asked: BulkRequest) -> dict[str, Any]:
        """Some of them, and where the next call goes on; a dry run counts all."""
        touched, skips, replays = 0, list[dict[str, str]](), list[dict[str, str]]()
        once = asked.once or (asked.ids is None and asked.status in (None, Status.FAILED))
        ids = self._rests.pop(asked.before, None) if asked.before else None
        ids = list(self._hands.meant(asked, verb)) if ids is None else ids
        most = len(ids) if asked.dry_run else asked.limit
        for prediction_id in ids[:most]:
            try:
                new = self._hands.do(verb, prediction_id, once=once, dry_run=asked.dry_run)
            except ZypherError as error:
                skips.append({"prediction_id": prediction_id, "code": error.code, "reason": error.message})
                continue
            touched += 1
            if new is not None:
                replays.append(_replayed(new))
        following = None
        if rest := ids[most:]:
            following = f"{len(rest)}-{rest[0]}"
            self._rests[following] = rest
        return {
            "matched": len(ids[:most]), "searched": len(ids[:most]), "touched": touched, "replays": replays,
            "skipped": len(skips), "skips": skips[:SKIPS_SHOWN], "next": following,
        }  # fmt: skip


def _replayed(new: Run) -> dict[str, str]:
    return {"prediction_id": new.prediction_id, "replay_of": new.replay_of}

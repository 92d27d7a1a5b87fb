"""What is said of an action on many: done, not done, not known; and what goes to the server for it."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgspec
import pytest

from zypher_tui.core.deeds import Choice, Counted, Verb, choose_ids, choose_queue
from zypher_tui.core.tally import Step, Tally
from zypher_tui.sources.operator import ApiOperator, OperatorError

AGAIN = "Press the key again later: the server counts what is left, and none is canceled twice."
ALL = Choice(says="all queued predictions")


def tally(*, possible: int = 5_000, skipped: int = 0, is_all: bool = True, verb: Verb = Verb.CANCEL) -> Tally:
    """Of an action that so many were counted for."""
    return Tally(verb, Counted(possible=possible, skipped=skipped, is_all=is_all))


def test_all_of_them_are_done() -> None:
    """With those that could not be, and those that are so no longer."""
    whole = tally(possible=2_000)
    whole.add(Step(touched=2_000))
    assert whole.ended(None).sentence == "Canceled 2,000 predictions."
    some = tally(possible=10, skipped=1)
    some.add(Step(touched=7, skipped=2, why="Prediction 'a' is succeeded and stays as it is."))
    assert some.ended(None).sentence == (
        "Canceled 7 predictions; 2 were skipped: Prediction 'a' is succeeded and stays as it is. "
        "2 of those that were counted were so no longer: ended meanwhile, or somebody else was quicker."
    )
    assert some.stopped().sentence == "Stopped. Canceled 7 of 10 predictions. The rest stays as it is."


def test_a_step_without_an_answer_is_neither_done_nor_undone() -> None:
    """Each of those that were agreed to is in one of the three numbers."""
    broken = tally()
    for _ in range(2):
        broken.begin(1_000)
        broken.add(Step(touched=1_000))
    broken.begin(1_000)
    broken.lose()
    assert broken.broken_off("The API gave no answer (it closed the connection).") == (
        "Canceled 2,000 of 5,000 predictions. Of 1,000 predictions nobody knows: The API gave no answer (it closed the "
        f"connection). 2,000 were not begun. {AGAIN}"
    )
    refused = tally(possible=2_001)
    refused.begin(1_000)
    refused.add(Step(touched=1_000))
    refused.begin(1_000)
    refused.refused()
    assert refused.broken_off("That key was revoked.") == (
        "Canceled 1,000 of 2,001 predictions; 1,001 were not: That key was revoked."
    )
    assert tally().broken_off("It takes a key.") == "It takes a key."


def test_a_dashboard_that_is_left_says_how_far_it_was() -> None:
    """With the step that was under way."""
    left = tally(possible=1_500)
    left.begin(1_000)
    left.add(Step(touched=1_000))
    left.begin(1_000)
    assert left.left_alone() == (
        "Canceled 1,000 of 1,500 predictions when the dashboard was left. Of up to 500 predictions nobody knows. "
        f"{AGAIN}"
    )


def test_only_what_is_gone_for_certain_leaves_the_list() -> None:
    """Not where an answer is missing, nor what was left as it is."""
    dropped = tally(possible=3, verb=Verb.DROP)
    dropped.add(Step(touched=2, skipped=1, left=frozenset("b")))
    assert dropped.ended(("a", "b", "c")).gone == ("a", "c")
    unsure = tally(possible=3, verb=Verb.DROP)
    unsure.begin(3)
    unsure.lose()
    assert unsure.gone(("a", "b", "c")) == ()


def test_marked_ones_are_replayed_once_and_one_alone_each_time_it_is_asked_for() -> None:
    """More than one key press may mean the same; the question before the second of one does not."""
    assert choose_ids(["a", "b"]).bodies(Verb.REPLAY) == [{"ids": ("a", "b"), "once": True}]
    assert choose_ids(["a"]).bodies(Verb.REPLAY) == [{"ids": ("a",)}]
    assert choose_ids(["a", "b"]).bodies(Verb.CANCEL) == [{"ids": ("a", "b")}]
    purge = choose_queue("low", [], now_ms=1_000)
    assert purge.bodies(Verb.CANCEL) == [
        {"status": "queued", "priority": "low", "created_before": "1970-01-01T00:00:01.001Z"}
    ]
    assert purge.wants_number


Answer = tuple[int, dict[str, Any]] | Exception
DONE = {"matched": 1_000, "searched": 1_000, "skipped": 0}


def answering(answers: Sequence[Answer], asked: list[dict[str, Any]]) -> Callable[[httpx.Request], httpx.Response]:
    """One after the other, noting what was asked."""
    left = [*answers]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(msgspec.json.decode(request.content))
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return httpx.Response(now[0], content=msgspec.json.encode(now[1]))

    return answer


async def acted(answers: Sequence[Answer], counted: int) -> tuple[str, list[dict[str, Any]]]:
    """What is said of a cancel of all, and what the server was asked for."""
    asked: list[dict[str, Any]] = []
    operator = ApiOperator("http://127.0.0.1", transport=httpx.MockTransport(answering(answers, asked)))
    try:
        said = (await operator.many(ALL, tally(possible=counted), lambda _: True)).sentence
    except OperatorError as error:
        said = str(error)
    await operator.aclose()
    return said, asked


async def test_no_more_is_done_than_was_agreed_to() -> None:
    """What fits meanwhile is left for the next time."""
    steps = [(200, {**DONE, "touched": 1_000, "next": "1-a"}), (200, {**DONE, "touched": 500, "next": "1-b"})]
    said, asked = await acted(steps, 1_500)
    assert said == "Canceled 1,500 predictions."
    assert asked == [{"all": True, "limit": 1_000}, {"all": True, "limit": 500, "before": "1-a"}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"detail": "That key was revoked."}), "Canceled 1,000 of 1,500 predictions; 500 were not: That key was"),
        ((503, {"detail": "Redis is away."}), "Canceled 1,000 of 1,500 predictions; 500 were not: Redis is away."),
        (httpx.ConnectError("no"), "Canceled 1,000 of 1,500 predictions; 500 were not: The API is away (ConnectError)"),
        ((502, {"no": 1}), "Canceled 1,000 of 1,500 predictions. Of 500 predictions nobody knows: The API answers 502"),
        (httpx.ReadError(""), "Canceled 1,000 of 1,500 predictions. Of 500 predictions nobody knows: The API gave no"),
        (
            (200, {"no": 1}),
            "Canceled 1,000 of 1,500 predictions. Of 500 predictions nobody knows: The API answers,",
        ),
        (
            (200, {**DONE, "touched": 300, "unknown": 100, "stopped": "Redis did not answer in time.", "next": "1-b"}),
            "Canceled 1,300 of 1,500 predictions. Of 100 predictions nobody knows: Redis did not answer in time. 100 ",
        ),
        (
            (
                200,
                {**DONE, "touched": 300, "skipped": 1, "next": "1-b"}
                | {"skips": [{"prediction_id": "x", "code": "queue_full", "reason": "The queue is full."}]},
            ),
            "Canceled 1,300 of 1,500 predictions; 200 were not: The queue is full. Press the key again later for the",
        ),
    ],
    ids=["revoked", "refused", "away", "proxy", "lost", "another", "redis", "full"],
)
async def test_what_goes_wrong_behind_the_first_step_is_told_with_the_numbers(answer: Answer, said: str) -> None:
    """A refusal has done nothing; of a step without an answer nobody knows."""
    first = (200, {**DONE, "touched": 1_000, "next": "1-a"})
    assert (await acted([first, answer], 1_500))[0].startswith(said)

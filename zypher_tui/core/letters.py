"""Dead letters by the kind of their error, and the words for a group of them."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from zypher_jobs.contracts.operation import FINGERPRINT
from zypher_jobs.contracts.prediction import DeadLetter, DeadLetterGroup

MOST_LETTERS = 200
"""Of one group that are listed."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._@/-]+")


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """All groups, and the newest letters of those that were asked for."""

    groups: list[DeadLetterGroup] = []
    letters: list[DeadLetter] = []


def key_of(group: DeadLetterGroup) -> str:
    """What tells it from others."""
    return f"{group.fingerprint} {group.model}"


def filter_of(group: DeadLetterGroup) -> str | None:
    """The filter that keeps exactly its predictions; ``None``: none can be written."""
    if re.fullmatch(FINGERPRINT, group.fingerprint) is None or _PLAIN_NAME.fullmatch(group.model) is None:
        return None
    return f"status:failed model:{group.model} fingerprint:{group.fingerprint}"


def versions_of(letters: Iterable[DeadLetter]) -> Sequence[str]:
    """Of the model, by name."""
    return sorted({letter.version for letter in letters if letter.version})


def grouped(letters: Iterable[DeadLetter]) -> list[DeadLetterGroup]:
    """Newest first → groups, as the server makes them, without what went well last."""
    groups: dict[tuple[str, str], DeadLetterGroup] = {}
    for letter in letters:
        place = letter.model, letter.fingerprint
        known = groups.get(place)
        groups[place] = DeadLetterGroup(
            fingerprint=letter.fingerprint,
            model=letter.model,
            error=known.error if known else letter.error,
            count=known.count + 1 if known else 1,
            first_at=letter.finished_at,
            last_at=known.last_at if known else letter.finished_at,
            newest_id=known.newest_id if known else letter.prediction_id,
        )
    return sorted(groups.values(), key=lambda group: -group.count)

"""What there is to say of one version of a model, as named lines of text; the same wherever it is drawn."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from zypher_jobs.contracts.deployment import ShadowCounts, Traffic, VersionState
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import formats
from zypher_tui.core.comparing import Comparison
from zypher_tui.core.model_rows import Condition, ModelRow, Served
from zypher_tui.core.readings import SourceName

_json = msgspec.json.Encoder().encode


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One line, or several when it is long."""

    name: str
    text: str
    is_bad: bool = False


def first_facts(row: ModelRow) -> Iterator[Fact]:
    """What matters most: where it fails, its traffic, how its predictions went."""
    for process_id, state in _processes(row, Condition.FAILED):
        why = state.error or "it does not say why"
        yield Fact(name="state", text=f"✗ failed in {process_id}: {why}", is_bad=True)
    detail = row.detail
    yield Fact(name="traffic", text=" · ".join(_traffic(row)))
    if detail is not None and detail.next is not None:
        yield Fact(name="coming", text=f"{traffic_text(detail.next)}: all processes are getting ready for it")
    yield Fact(name="counts", text=_counts(row))


def other_facts(row: ModelRow, served: Served | None) -> Iterator[Fact]:
    """Where it is ready, its file, its batches."""
    detail, found = row.detail, row.found
    every = found.processes if found else {}
    for condition in (Condition.READY, Condition.LOADING, Condition.ASLEEP):
        if ids := [process_id for process_id, _ in _processes(row, condition)]:
            yield Fact(name="state", text=f"{condition.value} in {_among(ids, every)}: {_named(ids)}")
    if not every:
        yield Fact(name="state", text="no process says that it has it")
    if found is not None and found.sha256:
        size = f" · {formats.size_bytes(found.size_bytes)}" if found.size_bytes is not None else ""
        uploaded = f" · uploaded {formats.instant(found.uploaded_at)[:19]}" if found.uploaded_at else ""
        yield Fact(name="file", text=f"sha256 {found.sha256[:16]}…{size}{uploaded}")
    elif found is not None:
        yield Fact(name="file", text="none: it comes from the settings of the processes")
    if (batching := row.batching) is not None:
        mean = f"{batching.mean_batch_size:.1f} on average" if batching.batches else "none yet"
        waiting = f" · {formats.count(batching.waiting)} wait for one" if batching.waiting else ""
        text = f"{mean}, {batching.max_batch_size} at most · {formats.count(batching.batches)} so far"
        yield Fact(name="batches", text=f"{text}, in all processes{waiting}")
    if detail is not None and detail.description:
        yield Fact(name="model", text=detail.description)
    if served is not None and served.source is SourceName.REDIS:
        yield Fact(name="source", text="Redis: it has no schemas or examples; those are the API's")


def shadow_facts(row: ModelRow) -> Iterator[Fact]:
    """How the outputs of the shadow compare, for both sides of it."""
    for counts in row.detail.comparisons if row.detail else ():
        if row.version in (counts.live, counts.shadow):
            yield Fact(name="shadow", text=_shadow(counts), is_bad=counts.failed > 0)


def comparison_facts(first: ModelRow, second: ModelRow, comparison: Comparison) -> Iterator[Fact]:
    """How the second does against the first."""
    yield Fact(name="compared", text=f"{second.key} against {first.key}, out of their newest predictions")
    for difference in (comparison.p50, comparison.p95, comparison.failed):
        yield Fact(name="", text=f"· {difference.sentence}")
    if comparison.caveat:
        yield Fact(name="", text=f"▲ {comparison.caveat}")


def has_example(row: ModelRow) -> bool:
    """Whether it is known what it takes."""
    return row.detail is not None and row.detail.input_example is not None


def call(row: ModelRow, api_url: str) -> str:
    """A command that asks this version, with the model's own example."""
    given = row.detail.input_example if row.detail is not None else None
    if given is None:
        given = "hello"
    version = f"/versions/{row.version}" if row.version else ""
    address = shlex.quote(f"{api_url.rstrip('/')}/models/{row.model}{version}/predict")
    body = shlex.quote(_json({"input": given}).decode())
    return f"curl {address} -H 'Content-Type: application/json' -d {body}"


def traffic_text(traffic: Traffic) -> str:
    """``1: 90 %, 2: 10 %, shadow 3``."""
    total = sum(traffic.shares.values()) or 1.0
    shares = [f"{version}: {formats.share(share / total)}" for version, share in traffic.shares.items()]
    return ", ".join([*shares, *([f"shadow {traffic.shadow}"] if traffic.shadow else [])])


def _traffic(row: ModelRow) -> Iterator[str]:
    detail = row.detail
    if detail is None:
        yield "not known: no source says how it is deployed"
        return
    if row.is_shadow:
        yield "shadow: a copy of each prediction that a live version answered"
    else:
        yield f"{formats.share(row.share)} of those who name no version"
        if detail.shadow:
            yield f"shadow: {detail.shadow}"
    if detail.previous is not None:
        yield f"a roll back leads to {traffic_text(detail.previous)}"


def _processes(row: ModelRow, condition: Condition) -> list[tuple[str, VersionState]]:
    """Those in which it is so, by id."""
    every = row.found.processes if row.found else {}
    return sorted((each for each in every.items() if each[1].state == condition.value), key=lambda each: each[0])


def _among(ids: Sequence[str], processes: Mapping[str, VersionState]) -> str:
    whole = "1 process" if len(processes) == 1 else f"{len(processes)} processes"
    return whole if len(ids) == len(processes) else f"{len(ids)} of {whole}"


def _named(ids: Sequence[str], most: int = 6) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return " ".join(ids[:most]) + more


def _counts(row: ModelRow) -> str:
    stats = row.stats
    if stats is None:
        return "none of the newest predictions is of it"
    said = [f"{formats.count(stats.counts[status])} {status.value}" for status in Status if stats.counts.get(status)]
    if stats.ended:
        low, high = formats.share(stats.failed.low), formats.share(stats.failed.high)
        said.append(f"failed {formats.share(stats.failed_share)} ({low} to {high})")
    waits = stats.wait.percentile(0.95)
    if waits is not None:
        said.append(f"wait p95 {formats.duration_ms(waits)}")
    return " · ".join(said)


def _shadow(counts: ShadowCounts) -> str:
    compared = counts.same + counts.different
    share = formats.share(counts.different / compared) if compared else formats.UNKNOWN
    said = f"{counts.shadow} answered otherwise than {counts.live} in {share} of {formats.count(compared)}"
    if counts.failed:
        said += f" · failed {formats.count(counts.failed)}"
    if counts.dropped:
        said += f" · {formats.count(counts.dropped)} not run"
    if counts.live_mean_ms is not None and counts.shadow_mean_ms is not None:
        live, shadow = formats.duration_ms(counts.live_mean_ms), formats.duration_ms(counts.shadow_mean_ms)
        said += f" · mean {live} → {shadow}"
    return said

"""Traffic as it is typed, and what would come of a change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.facts import model, version
from zypher_jobs.contracts.deployment import Traffic
from zypher_tui.core.traffic import (
    Deed,
    ModelChange,
    WrongTraffic,
    as_typed,
    consequences,
    live_traffic,
    parse_traffic,
)

VERSIONS = ["1", "2", "3", "2024-05", "v1.0_rc"]
SHARES = st.dictionaries(st.sampled_from(VERSIONS[:3]), st.integers(1, 1000).map(float), min_size=1)


@given(SHARES, st.sampled_from([None, "2024-05", "v1.0_rc"]))
def test_what_is_written_is_read_back(shares: dict[str, float], shadow: str | None) -> None:
    """Whatever the shares are."""
    traffic = Traffic(shares=shares, shadow=shadow)
    assert parse_traffic(as_typed(traffic), VERSIONS) == traffic


@pytest.mark.parametrize(
    ("text", "traffic"),
    [
        ("2", Traffic(shares={"2": 1})),
        ("2: 90, 3: 10", Traffic(shares={"2": 90, "3": 10})),
        ("2=90%,3 10 %", Traffic(shares={"2": 90, "3": 10})),
        (" 2024-05 : 0.5 , v1.0_rc: 0.5 , shadow: 1 ", Traffic(shares={"2024-05": 0.5, "v1.0_rc": 0.5}, shadow="1")),
        ("1, shadow 2,", Traffic(shares={"1": 1}, shadow="2")),
    ],
)
def test_it_is_understood_as_people_write_it(text: str, traffic: Traffic) -> None:
    """With a colon, an equals sign or a space; a lone version gets all."""
    assert parse_traffic(text, VERSIONS) == traffic


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "No version gets any traffic"),
        ("shadow 1", "No version gets any traffic"),
        ("4: 10", "There is no version 4; there are 1, 2, 3"),
        ("2024-06", "did you mean 2024-05?"),
        ("1: 0", "a share above 0"),
        ("1: 5, 1: 6", "stands there twice"),
        ("1, shadow 1", "live and shadow at once"),
        ("1, shadow 2, shadow 3", "one shadow at most"),
        ("1, shadow", "has its version behind it"),
        ("1: much", "There is no version 1: much"),
    ],
)
def test_what_is_wrong_has_a_way_out(text: str, why: str) -> None:
    """It names what is wrong, and what there is."""
    with pytest.raises(WrongTraffic) as wrong:
        parse_traffic(text, VERSIONS)
    assert why in str(wrong.value)


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Never anything else."""
    try:
        traffic = parse_traffic(text, VERSIONS)
    except WrongTraffic:
        return
    assert traffic.versions <= set(VERSIONS)


def test_a_switch_says_what_would_come_of_it() -> None:
    """Share by share; what failed or sleeps; where a roll back would lead."""
    detail = model(version("1", 0.9, a="ready"), version("2", 0.1, a="failed", b="asleep"), version("3"), shadow="3")
    change = ModelChange(deed=Deed.SWITCH, model="m", traffic=Traffic(shares={"2": 1}))
    said = [each.text for each in consequences(change, detail)]
    assert said[:3] == ["1: 90 % → 0 %", "2: 10 % → 100 %", "shadow: 3 → none"]
    assert any("failed to load in 1 process" in each for each in said)
    assert any("asleep: 1 process loads it first" in each for each in said)
    assert said[-1] == "A roll back leads to 1: 90, 2: 10, shadow 3."


def test_a_switch_to_what_is_says_so() -> None:
    """Also where the shares have another sum."""
    detail = model(version("1", 0.9, a="ready"), version("2", 0.1, a="ready"))
    change = ModelChange(deed=Deed.SWITCH, model="m", traffic=Traffic(shares={"1": 9, "2": 1}))
    assert [each.text for each in consequences(change, detail)][-1] == "That is how the traffic flows already."
    assert live_traffic(detail) == Traffic(shares={"1": 90, "2": 10})


def test_a_roll_back_leads_to_where_it_was() -> None:
    """Or nowhere."""
    back = ModelChange(deed=Deed.ROLL_BACK, model="m")
    versions = version("1", 1, a="ready"), version("2", a="ready")
    (nowhere,) = consequences(back, model(*versions))
    assert nowhere.is_warning
    there = [each.text for each in consequences(back, model(*versions, previous=Traffic(shares={"2": 1})))]
    assert there[:2] == ["1: 100 % → 0 %", "2: 0 % → 100 %"]
    gone = [*consequences(back, model(versions[0], previous=Traffic(shares={"2": 1})))]
    assert any(each.is_warning and "is there no more" in each.text for each in gone)

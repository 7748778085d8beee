"""Settings of workflows: what is refused, how hosts are counted, how waves are cut, and how they are served."""

from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.automation.workflows.settings import (
    WorkflowSettings,
    count_of,
    cut_waves,
    read_settings,
    settings_faults,
    sparse,
)
from tests.support.graphs import step, workflow

URL = "/automation/v1/workflows"
WHOLE: dict[str, Any] = {
    "error_handling": "continue",
    "timeout_s": None,
    "max_failed": None,
    "waves": [],
    "concurrency": None,
}
DEFINITION = workflow(step("a", "flow:noop"), edges=("start -> a",))

percentages = st.integers(1, 100).map(lambda number: f"{number}%") | st.sampled_from(["0.5%", "12.5%", "99.99%"])
waves = st.lists(st.integers(1, 500) | percentages, max_size=6)
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "another word": ({"error_handling": "panic"}, "settings.error_handling", "panic"),
    "no time": ({"timeout_s": 0}, "settings.timeout_s", ">= 1"),
    "more than a week": ({"timeout_s": 604801}, "settings.timeout_s", "<= 604800"),
    "less than none": ({"max_failed": -1}, "settings.max_failed", ">= 0"),
    "true failures": ({"max_failed": True}, "settings.max_failed", "bool"),
    "half a failure": ({"max_failed": "a half"}, "settings.max_failed", "'a half' is neither a number"),
    "more than all": ({"max_failed": "101%"}, "settings.max_failed", "neither a number"),
    "an empty wave": ({"waves": [1, 0]}, "settings.waves[1]", ">= 1"),
    "a wave of nothing": ({"waves": ["0%"]}, "settings.waves[0]", "none"),
    "a wave of words": ({"waves": ["most"]}, "settings.waves[0]", "nor rest"),
    "the rest first": ({"waves": ["rest", 5]}, "settings.waves[0]", "only the last wave"),
    "waves that are none": ({"waves": "10%"}, "settings.waves", "array"),
    "too many waves": ({"waves": [1] * 101}, "settings.waves", "100"),
    "nobody at once": ({"concurrency": 0}, "settings.concurrency", ">= 1"),
    "all the world at once": ({"concurrency": 10_001}, "settings.concurrency", "<= 10000"),
    "a foreign field": ({"wave": [1]}, "settings.wave", "there is no such field"),
}


@pytest.mark.parametrize(("given_settings", "field", "message"), BAD.values(), ids=BAD.keys())
async def test_a_wrong_setting_is_refused_by_its_name(
    admin: httpx.AsyncClient, given_settings: dict[str, Any], field: str, message: str
) -> None:
    answer = await admin.post(URL, json={"name": "w", "definition": DEFINITION, "settings": given_settings})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    (fault,) = answer.json()["error"]["details"]
    assert fault["field"] == field
    assert message in fault["message"]


async def test_settings_are_served_whole_and_replaced_as_a_whole(admin: httpx.AsyncClient) -> None:
    given_settings = {"max_failed": "10%", "waves": [1, "25%", "rest"], "timeout_s": 90}
    created = (await admin.post(URL, json={"name": "w", "definition": DEFINITION, "settings": given_settings})).json()[
        "data"
    ]
    assert created["settings"] == {**WHOLE, **given_settings}
    address = f"{URL}/{created['id']}"
    assert (await admin.patch(address, json={"enabled": False})).json()["data"]["settings"] == created["settings"]
    changed = (await admin.patch(address, json={"settings": {"concurrency": 7}})).json()["data"]
    assert (changed["settings"], changed["version"]) == ({**WHOLE, "concurrency": 7}, 2)
    bad = await admin.patch(address, json={"settings": {"waves": ["rest", 1]}})
    assert bad.json()["error"]["details"][0]["field"] == "settings.waves[0]"
    assert (await admin.patch(address, json={"settings": None})).status_code == 422
    plain = (await admin.post(URL, json={"name": "plain", "definition": DEFINITION})).json()["data"]
    assert plain["settings"] == WHOLE


async def test_settings_are_checked_along_with_a_definition(admin: httpx.AsyncClient) -> None:
    body = {"definition": DEFINITION, "settings": {"waves": [1, "rest"]}}
    assert (await admin.post(f"{URL}/validate", json=body)).json()["data"]["valid"] is True
    body["settings"] = {"waves": ["rest", 1]}
    answer = await admin.post(f"{URL}/validate", json=body)
    assert answer.json()["error"]["details"][0]["field"] == "settings.waves[0]"


def test_a_count_is_taken_as_it_is_and_a_percentage_rounded_down() -> None:
    counts = [count_of(value, 25) for value in (0, 3, 99, "10%", "100%", "3.9%", "0.5%")]
    assert counts == [0, 3, 25, 2, 25, 0, 0]


@given(value=st.integers(0, 500) | percentages, hosts=st.integers(0, 2000))
def test_a_count_is_at_most_all_of_them_and_grows_with_them(value: int | str, hosts: int) -> None:
    assert 0 <= count_of(value, hosts) <= hosts
    assert count_of(value, hosts) <= count_of(value, hosts + 1)


def test_waves_are_cut_in_their_order() -> None:
    assert cut_waves([1, "10%", "rest"], 25) == [1, 2, 22]
    assert cut_waves([1, "1%"], 25) == [1, 1, 23]
    assert cut_waves([20, 20, 20], 25) == [20, 5]
    assert cut_waves(["rest"], 25) == cut_waves([], 25) == cut_waves(["100%"], 25) == [25]
    assert cut_waves([1, "rest"], 0) == []


@given(sizes=waves, with_rest=st.booleans(), hosts=st.integers(0, 2000))
def test_waves_hold_every_host_once_and_none_is_empty(sizes: list[int | str], with_rest: bool, hosts: int) -> None:
    wanted = [*sizes, *(["rest"] if with_rest else [])]
    cut = cut_waves(wanted, hosts)
    assert sum(cut) == hosts
    assert all(size > 0 for size in cut)
    assert len(cut) <= len(wanted) + 1
    assert all(size <= max(1, count_of(wave, hosts)) for size, wave in zip(cut, sizes, strict=False))


@given(
    settings=st.builds(
        WorkflowSettings,
        error_handling=st.sampled_from(["continue", "stop"]),
        timeout_s=st.none() | st.integers(1, 604_800).map(float),
        max_failed=st.none() | st.integers(0, 1000) | percentages,
        waves=waves,
        concurrency=st.none() | st.integers(1, 10_000),
    )
)
def test_good_settings_have_no_faults_and_read_back_as_they_were(settings: WorkflowSettings) -> None:
    assert settings_faults(settings) == []
    stored = sparse(settings)
    assert read_settings(msgspec.json.decode(msgspec.json.encode(stored))) == settings
    assert not {name for name, value in stored.items() if value == WHOLE[name]}

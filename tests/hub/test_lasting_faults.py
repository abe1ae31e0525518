"""The hub over loopback: what is said of faults that last, and how long is waited before."""

import re
from pathlib import Path

import pytest
from huggingface_hub import constants

from sentiment.sources.retries import ATTEMPTS
from tests.hub.client import AGAIN, LARGE, NO_HUB, downloads, fetch, refusal
from tests.hub_server import Fault, Hub

ENDLESS = {
    "fails": (
        Fault(status=500),
        f"{{hub}} fails with status 500 for model org/tiny, which is the server's fault: later {AGAIN}; {NO_HUB}",
    ),
    "limits": (
        Fault(status=429, headers={"Retry-After": "120"}),
        f"{{hub}} limits the requests from here: wait 2 min, then {AGAIN}; HF_TOKEN raises the limit",
    ),
    "cuts": (
        Fault(cut="reset"),
        "model org/tiny could not be fetched from {hub}, the connection fails (*): check the network, HF_ENDPOINT and "
        f"the proxy's settings, then {AGAIN}; {NO_HUB}",
    ),
    "sends nothing": (
        Fault(length=0),
        "model org/tiny could not be fetched from {hub}, the connection fails (the file ended after 0 of 300,000 "
        f"bytes): check the network, HF_ENDPOINT and the proxy's settings, then {AGAIN}; {NO_HUB}",
    ),
    "sends too little": (
        Fault(length=200_000),
        "model.safetensors of model org/tiny at {commit} arrived twice with 200,000 bytes instead of the 300,000 that "
        "the hub lists: a proxy or mirror may alter it; try another network, or the hub itself (unset HF_ENDPOINT)",
    ),
    "alters": (
        Fault(altered=True),
        "model.safetensors of model org/tiny at {commit} arrived twice with other bytes than the 300,000 that the hub "
        "lists: a proxy or mirror may alter it; try another network, or the hub itself (unset HF_ENDPOINT)",
    ),
    "sends too much": (
        Fault(length=400_000),
        "model.safetensors of model org/tiny at {commit} arrived twice with * bytes instead of the 300,000 that "
        "the hub lists: a proxy or mirror may alter it; try another network, or the hub itself (unset HF_ENDPOINT)",
    ),
}


@pytest.mark.parametrize(("fault", "sentence"), ENDLESS.values(), ids=ENDLESS)
def test_a_fault_that_lasts_ends_in_a_sentence_and_leaves_no_file(
    hub: Hub, fault: Fault, sentence: str, tmp_path: Path
) -> None:
    hub.faults = [Fault(**vars(fault) | {"match": "/storage/", "times": 1000})]
    commit = hub.repos["model", "org/tiny"].commit[:8]

    expected = re.escape(sentence.format(hub=hub.url, commit=commit)).replace(r"\*", ".+")
    assert re.fullmatch(expected, refusal(fetch))
    assert not list(tmp_path.rglob("cache/**/model.safetensors"))
    assert len(downloads(hub)) <= ATTEMPTS


def test_a_server_that_always_stalls_ends_in_a_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.faults = [Fault(match="/storage/", stall=True, times=1000)]

    assert refusal(fetch).startswith(
        f"model org/tiny could not be fetched from {hub.url}, the server does not answer in time: check the network"
    )


def test_the_waits_grow_and_are_spread_by_chance(
    hub: Hub, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.faults = [Fault(match="/storage/", status=500, times=1000)]
    refusal(fetch)

    assert len(waits) == ATTEMPTS - 1
    for place, wait in enumerate(waits):
        assert 2**place <= wait < 2**place + 1
    assert len({wait % 1 for wait in waits}) == len(waits)
    assert "the server answers with status 500; trying again in " in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "77"},
        {"Retry-After": "Mon, 01 Jan 2024 00:01:17 GMT", "Date": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"RateLimit": '"resolvers";r=0;t=77'},
    ],
)
def test_a_wait_that_the_server_asks_for_is_kept(hub: Hub, waits: list[float], headers: dict[str, str]) -> None:
    hub.faults = [Fault(match="/storage/", status=429, headers=headers)]

    assert fetch().read_bytes() == LARGE
    assert len(waits) == 1
    assert 77 <= waits[0] < 79


@pytest.mark.parametrize("asked", ["-1", "soon", "", "Mon, 99 Jan 2024"])
def test_a_wait_that_makes_no_sense_is_not_kept(hub: Hub, waits: list[float], asked: str) -> None:
    hub.faults = [Fault(match="/storage/", status=429, headers={"Retry-After": asked})]

    assert fetch().read_bytes() == LARGE
    assert 1 <= waits[0] < 2


def test_a_wait_of_hours_is_left_to_the_person(hub: Hub, waits: list[float]) -> None:
    hub.faults = [Fault(match="/storage/", status=429, headers={"Retry-After": "7200"})]

    assert "wait 120 min, then run the same command again" in refusal(fetch)
    assert waits == []

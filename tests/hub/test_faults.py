"""The hub over loopback: faults that pass do no harm, and of those that last one sentence tells."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from huggingface_hub import constants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.sources.hub import ATTEMPTS, open_repository
from sentiment.sources.hub_errors import AGAIN, NO_HUB
from tests.hub.client import LARGE, SMALL, downloads, fetch, refusal
from tests.hub_server import Fault, Hub

FAULTS = [
    Fault(cut="end", after=100_000),
    Fault(cut="reset", after=100_000),
    Fault(cut="reset"),
    Fault(status=429, headers={"Retry-After": "3"}),
    Fault(status=503, times=3),
]
LIES = [Fault(altered=True), Fault(length=8), Fault(length=400_000)]
PASSING = [
    *product(["GET /storage/", "HEAD .*/resolve/", "GET .*/resolve/", "GET /api/"], FAULTS),
    *product(["GET /storage/", "GET .*/vocab.txt"], LIES),
]


@pytest.mark.parametrize(("match", "fault"), PASSING)
def test_a_fault_that_passes_does_no_harm(hub: Hub, match: str, fault: Fault) -> None:
    hub.faults = [replace(fault, match=match)]
    local = open_repository("org/tiny", "model").fetch(["model.safetensors", "sub/vocab.txt"])

    assert [path.read_bytes() for path in local.values()] == [LARGE, SMALL]
    assert hub.faults[0].times == 0


def test_a_wait_that_the_server_asks_for_is_kept_and_further_attempts_are_announced(
    hub: Hub, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.faults = [Fault("/api/", status=429, headers={"Retry-After": "77"}), Fault(status=500)]

    assert fetch().read_bytes() == LARGE
    assert 77 + 4 <= sum(waits) < 77 + 7
    assert re.search("the server answers with status 500; trying again in [45] s", capsys.readouterr().out)


LASTING = {
    "fails": (
        Fault(status=500),
        f"{{hub}} fails with status 500 for model org/tiny, which is the server's fault: later {AGAIN}; {NO_HUB}",
    ),
    "limits": (
        Fault(status=429),
        f"{{hub}} limits the requests from here: wait some minutes, then {AGAIN}; HF_TOKEN raises the limit",
    ),
    "cuts": (Fault(cut="reset"), "the connection fails (*)"),
    "sends too little": (Fault(length=200_000), "*should be of size 300000 but has size 200000*"),
    "alters": (
        Fault(altered=True),
        "model.safetensors arrives with other bytes than the hub lists, a proxy or mirror may alter it",
    ),
    "stalls": (Fault(stall=True), "the server does not answer in time"),
}


@pytest.mark.parametrize(("fault", "sentence"), LASTING.values(), ids=LASTING)
def test_a_fault_that_lasts_ends_in_a_sentence_and_leaves_no_file(
    hub: Hub, fault: Fault, sentence: str, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.stall:
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.faults = [replace(fault, times=1000)]
    if not sentence.startswith("{hub}"):
        sentence = (
            f"model org/tiny could not be fetched from {{hub}}, {sentence}: check the network, HF_ENDPOINT and the "
            f"proxy's settings, then {AGAIN}; {NO_HUB}"
        )

    assert re.fullmatch(re.escape(sentence.format(hub=hub.url)).replace(r"\*", ".+"), refusal())
    assert not [path for path in tmp_path.rglob("cache/**/*") if path.is_file() and path.stat().st_size > 10_000]
    # huggingface_hub asks six times where it tries again itself.
    assert downloads(hub) in {ATTEMPTS, 6}
    assert 5 <= sum(waits) < 40


faults = st.one_of(
    st.builds(Fault, cut=st.sampled_from(["end", "reset"]), after=st.integers(0, len(LARGE))),
    st.builds(Fault, altered=st.just(True), after=st.integers(0, len(LARGE) - 1)),
    st.builds(Fault, status=st.sampled_from([404, 416, 429, 500, 503])),
    st.builds(Fault, length=st.integers(0, 2 * len(LARGE))),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(faults, max_size=8))
def test_whatever_happens_the_bytes_are_right_or_the_hub_is_blamed(
    hub: Hub, sequence: list[Fault], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("cache")))
    # What arrives before a cut counts by the chunk.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
    hub.faults = [replace(fault) for fault in sequence]
    try:
        assert fetch().read_bytes() == LARGE
    except UserError:
        assert sequence
    hub.faults = []
    assert fetch().read_bytes() == LARGE

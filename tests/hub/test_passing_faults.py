"""The hub over loopback: what faults that pass do to a download: nothing."""

from pathlib import Path

import pytest
from huggingface_hub import constants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment import hub as hub_module
from sentiment.core.errors import UserError
from sentiment.sources.hub import open_repository
from tests.hub.client import LARGE, SMALL, downloads, fetch
from tests.hub_server import TOKEN, Fault, Hub, running

PASSING = {
    "a connection that ends early": Fault(cut="end", after=100_000),
    "a connection that is reset": Fault(cut="reset", after=100_000),
    "a connection that is reset at once": Fault(cut="reset"),
    "cuts after every few bytes": Fault(cut="end", after=70_000, times=4),
    "a rate limit": Fault(status=429, headers={"Retry-After": "3"}),
    "a request that timed out": Fault(status=408),
    "a server that restarts": Fault(status=503, times=4),
    "a server that fails": Fault(status=500, times=5),
    "altered bytes": Fault(altered=True, after=200_000),
    "too few bytes": Fault(length=200_000),
    "too many bytes": Fault(length=400_000),
    "no bytes": Fault(length=0),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("match", ["/storage/", "/resolve/"])
def test_a_fault_that_passes_does_no_harm(hub: Hub, fault: Fault, match: str, tmp_path: Path) -> None:
    hub.faults = [Fault(**vars(fault) | {"match": match})]
    file = "model.safetensors" if match == "/storage/" else "sub/vocab.txt"
    repository = open_repository("org/tiny", "model")
    content = repository.fetch([file])[file].read_bytes()

    assert content == (LARGE if file == "model.safetensors" else SMALL)
    assert [path.name for path in tmp_path.rglob("*.incomplete")] == []


def test_a_stalled_server_is_given_up_and_asked_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    hub.faults = [Fault(match="/storage/", stall=True, after=100_000)]

    assert fetch().read_bytes() == LARGE


@pytest.mark.parametrize("fault", [Fault(status=500, times=5), Fault(cut="end"), Fault(cut="reset", after=40)])
def test_the_list_of_files_survives_passing_faults_too(hub: Hub, fault: Fault) -> None:
    hub.faults = [Fault(**vars(fault) | {"match": "/api/"})]

    assert len(open_repository("org/tiny", "model").files) == 2


def test_a_download_goes_on_where_it_was_cut(hub: Hub) -> None:
    hub.faults = [Fault(match="/storage/", cut="end", after=100_000, times=2)]
    fetch()

    starts = downloads(hub)
    assert starts == [0, 100_000, 200_000]


def test_a_server_that_knows_no_ranges_starts_over(hub: Hub) -> None:
    hub.faults = [Fault(match="/storage/", cut="end", after=100_000), Fault(match="/storage/", ranges=False)]

    assert fetch().read_bytes() == LARGE


def test_a_line_that_keeps_breaking_is_used_as_long_as_it_brings_something(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PROGRESS", 10_000)
    hub.faults = [Fault(match="/storage/", cut="end", after=10_000, times=30)]

    assert fetch().read_bytes() == LARGE


def test_a_redirect_to_another_server_is_followed_without_the_token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with running(Hub(hub.repos)) as other:
        hub.faults = [Fault(match="/storage/", redirect=other.url)]
        assert fetch().read_bytes() == LARGE
        assert [request.token for request in other.requests] == [None]
    assert {request.token for request in hub.requests} == {TOKEN}


faults = st.one_of(
    st.builds(Fault, cut=st.sampled_from(["end", "reset"]), after=st.integers(0, len(LARGE))),
    st.builds(Fault, status=st.sampled_from([429, 500, 502, 503, 504])),
    st.builds(Fault, length=st.integers(0, 2 * len(LARGE))),
    st.builds(Fault, ranges=st.just(False)),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(faults, max_size=4))
def test_whatever_passes_the_bytes_are_right_or_the_hub_is_blamed(
    hub: Hub, sequence: list[Fault], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("cache")))
    hub.faults = [Fault(**vars(fault) | {"match": "/storage/"}) for fault in sequence]
    try:
        content = fetch().read_bytes()
    except UserError as error:
        content = str(error)
    # Wrong lengths are met by one new start and, the second time, by a refusal.
    refused = sum(fault.length is not None for fault in sequence) >= 2
    assert content == LARGE or ("arrived twice" in str(content) and refused)
    hub.faults = []
    assert fetch().read_bytes() == LARGE

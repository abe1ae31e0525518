"""The hub over loopback: what it does not give, and what of it is not taken, each told in a sentence."""

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import close_session, constants

from sentiment.sources.hub import Repository, open_repository
from sentiment.sources.hub_errors import AGAIN, NO_HUB
from tests.hub.client import LARGE, SMALL, downloads, fetch, refusal
from tests.hub_server import TOKEN, Fault, Hub, only_hub


@pytest.mark.parametrize(
    ("access", "sentence"),
    [
        (
            "gated",
            "dataset org/toy is gated: accept its conditions on {hub}/datasets/org/toy, and set HF_TOKEN to a token of "
            "that account ({hub}/settings/tokens)",
        ),
        (
            "private",
            "the hub has no dataset org/toy, or it is private: correct the spelling (ORG/NAME as in the address of its "
            "page), or set HF_TOKEN to a token that may read it",
        ),
    ],
)
def test_a_gated_or_private_repository_asks_for_a_token_and_opens_for_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, access: str, sentence: str, waits: list[float]
) -> None:
    hub.repos["dataset", "org/toy"].access = access
    assert refusal(lambda: fetch("org/toy", "dataset")) == sentence.format(hub=hub.url)
    assert waits == []
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch("org/toy", "dataset").read_bytes() == LARGE


def test_a_missing_repository_revision_or_file_is_named(hub: Hub, waits: list[float]) -> None:
    assert refusal(lambda: fetch("org/tyni")).startswith("the hub has no model org/tyni, or it is private: correct")
    assert refusal(lambda: fetch(revision="v/9")) == (
        f"model org/tiny has no revision v/9: take a branch, tag or commit of {hub.url}/org/tiny/commits/main"
    )
    repository = open_repository("org/tiny", "model")
    assert refusal(lambda: repository.fetch(["sub/vocab.txt", "nowhere.txt"])) == (
        f"{repository} has no file nowhere.txt: correct the name, or take another revision"
    )
    hub.faults = [Fault("/resolve/", status=404, headers={"X-Error-Code": "EntryNotFound"})]
    assert refusal() == (
        f"model org/tiny lacks a file that it lists: take another revision of {hub.url}/org/tiny/commits/main"
    )
    assert waits == []


@pytest.mark.parametrize("match", ["/api/", "HEAD"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_asked_for_anew(hub: Hub, status: int, match: str) -> None:
    refused = {"X-Error-Message": "Invalid credentials in Authorization header"}
    hub.faults = [Fault(match, status=status, headers=refused)]

    assert refusal() == (
        f"{hub.url}/org/tiny refuses access (status {status}): set HF_TOKEN to a valid token that may read it"
    )


@pytest.mark.parametrize("token", ["hf_ä", "hf_a b", "hf_a\x7f"])
def test_a_token_that_cannot_be_sent_is_refused_unquoted(hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HF_TOKEN", token)

    assert refusal() == "HF_TOKEN has characters that no token has: copy it again from the hub's settings, or unset it"


@pytest.mark.parametrize("name", ["org/two--dashes", "a/b/c", "no name", "org/ä"])
def test_a_name_that_the_hub_does_not_allow_is_refused(hub: Hub, name: str) -> None:
    assert refusal(lambda: fetch(name)).startswith(f"{name!r} is not a name that the hub allows: ")
    assert hub.requests == []


@pytest.mark.parametrize("cached", ["nothing", "the list", "a damaged file"])
def test_offline_the_way_out_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch, cached: str) -> None:
    commit = None if cached == "nothing" else open_repository("org/tiny", "model").commit
    if cached == "a damaged file":
        fetch().write_bytes(SMALL)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert refusal(lambda: fetch(revision=commit)) == (
        "model org/tiny is not in the local cache, and HF_HUB_OFFLINE forbids fetching it: unset it for the download, "
        f"or pin a commit that was downloaded before; {NO_HUB}"
    )
    assert hub.requests == []


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "huggingface", "ftp://127.0.0.1", "http://"])
def test_without_a_network_or_with_an_endpoint_that_is_no_address_the_way_out_is_named(
    tmp_path: Path, endpoint: str
) -> None:
    with only_hub(endpoint, tmp_path):
        assert re.fullmatch(
            rf"model org/tiny could not be fetched from {endpoint}, .+: check the network, HF_ENDPOINT and the "
            rf"proxy's settings, then {AGAIN}; {NO_HUB}",
            refusal(),
        )


def test_a_proxy_that_is_no_address_is_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://user:secret@host")
    close_session()

    message = refusal()
    assert "HF_ENDPOINT and the proxy's settings" in message
    assert "secret" not in message


NO_ANSWER = [{}, {"sha": "main"}, {"sha": "0" * 40}, {"sha": "0" * 40, "siblings": [{}]}, [], "<html>", None]
UNSAFE = [
    {"sha": "0" * 40, "siblings": [{"rfilename": path, "size": 1, "blobId": "0" * 40}]}
    for path in ("../x", "a/../../x", "/x", "a\\..\\x", "")
]


@pytest.mark.parametrize("answer", NO_ANSWER + UNSAFE)
def test_a_server_that_is_not_the_hub_and_paths_that_leave_their_folder_are_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr("httpx2.Response.json", lambda _: answer)

    assert refusal() == (
        f"{hub.url} does not answer as the hub does: sign in to this network where it asks for it, or correct "
        f"HF_ENDPOINT and the proxy's settings; {NO_HUB}"
    )


def test_a_page_in_place_of_the_hub_is_told(hub: Hub) -> None:
    for match in ("/api/", "HEAD"):
        hub.faults = [Fault(match, status=200)]
        assert "does not answer as the hub does" in refusal()


def test_a_full_disk_is_noticed_before_the_download(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=200_000))

    assert re.fullmatch(
        re.escape(str(tmp_path / "cache"))
        + " has 200kB of free disk space, but the download and its copy need (300|600)kB: "
        "free some, or set HF_HOME to a folder on a larger disk",
        refusal(),
    )
    assert downloads(hub) == 0


def test_a_full_disk_in_the_middle_is_no_matter_of_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", fill)
    with pytest.raises(OSError, match="No space left"):
        fetch()


@pytest.mark.parametrize(
    ("path", "content", "requests"), [("model.safetensors", LARGE, 0), ("sub/vocab.txt", SMALL, 2)]
)
def test_a_pin_that_is_not_met_is_refused_before_the_download_where_the_hub_states_a_sha256(
    hub: Hub, path: str, content: bytes, requests: int
) -> None:
    def pinned(repository: Repository, pin: str | None) -> dict[str, Path]:
        return repository.fetch([path], {path: pin, "other.txt": "0" * 64})

    repository = open_repository("org/tiny", "model")
    actual = hashlib.sha256(content).hexdigest()
    hub.requests.clear()
    assert refusal(lambda: pinned(repository, "0" * 64)) == (
        f"{path} of {repository} has sha256 {actual}, but catalog.yaml expects {'0' * 64}: "
        "the hub's file is another one; pin the new one if the change is meant"
    )
    assert len(hub.requests) == requests
    assert pinned(repository, actual) == pinned(repository, None)

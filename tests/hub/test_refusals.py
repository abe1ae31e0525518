"""The hub over loopback: what it does not give, and what of it is not taken, each told in a sentence."""

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import close_session, constants

from sentiment.sources.hub import open_repository
from tests.hub.client import AGAIN, LARGE, NO_HUB, SMALL, downloads, fetch, refusal
from tests.hub_server import TOKEN, Fault, Hub, only_hub


def test_a_gated_repository_asks_for_consent_and_a_token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["model", "org/tiny"].access = "gated"
    assert refusal(fetch) == (
        f"model org/tiny is gated: accept its conditions on {hub.url}/org/tiny, and set HF_TOKEN to a token of that "
        f"account ({hub.url}/settings/tokens)"
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch().read_bytes() == LARGE


def test_a_private_repository_opens_for_its_token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["dataset", "org/toy"].access = "private"
    assert refusal(lambda: fetch("org/toy", "dataset")) == (
        "the hub has no dataset org/toy, or it is private: correct the spelling (ORG/NAME as in the address of its "
        "page), or set HF_TOKEN to a token that may read it"
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch("org/toy", "dataset").read_bytes() == LARGE


def test_a_missing_repository_asks_for_the_spelling(hub: Hub, waits: list[float]) -> None:
    assert refusal(lambda: fetch("org/tyni")).startswith("the hub has no model org/tyni, or it is private: correct")
    assert waits == []


def test_a_missing_revision_asks_for_another(hub: Hub) -> None:
    assert refusal(lambda: fetch(revision="v9")) == (
        f"model org/tiny has no revision v9: take a branch, tag or commit of {hub.url}/org/tiny/commits/main"
    )
    assert f"{hub.url}/datasets/org/toy/commits" in refusal(lambda: fetch("org/toy", "dataset", revision="0" * 40))


def test_a_file_that_is_not_there_is_named(hub: Hub) -> None:
    repository = open_repository("org/tiny", "model")
    assert refusal(lambda: repository.fetch(["sub/vocab.txt", "nowhere.txt"])) == (
        f"{repository} has no file nowhere.txt: correct the name, or take another revision"
    )
    hub.faults = [Fault(match="/resolve/", status=404, headers={"X-Error-Code": "EntryNotFound"})]
    assert refusal(fetch) == (
        f"model org/tiny lacks a file that it lists: take another revision of {hub.url}/org/tiny/commits/main"
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_asked_for_anew(hub: Hub, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_yesterday")
    hub.faults = [Fault(match="/api/", status=status)]

    assert refusal(fetch) == (
        f"{hub.url}/org/tiny refuses access (status {status}): set HF_TOKEN to a valid token that may read it"
    )


@pytest.mark.parametrize("name", ["org/two--dashes", "a/b/c", "no name", "org/ä"])
def test_a_name_that_the_hub_does_not_allow_is_refused(hub: Hub, name: str) -> None:
    assert refusal(lambda: fetch(name)).startswith(f"{name!r} is no name that the hub allows: ")
    assert hub.requests == []


@pytest.mark.parametrize("token", ["hf_ä", "hf_a b", "hf_a\x7f"])
def test_a_token_that_cannot_be_sent_is_refused_unquoted(hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HF_TOKEN", token)

    assert refusal(fetch) == (
        "HF_TOKEN has characters that no token has: copy it anew from the hub's settings, or unset it"
    )


def test_offline_the_way_out_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert refusal(fetch) == (
        "model org/tiny is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it: unset it for the download, "
        f"or pin a commit that was downloaded before; {NO_HUB}"
    )
    assert hub.requests == []


def test_without_a_network_the_way_out_is_named(tmp_path: Path) -> None:
    with only_hub("http://127.0.0.1:9", tmp_path):
        message = refusal(fetch)

    assert re.fullmatch(
        r"model org/tiny could not be fetched from http://127\.0\.0\.1:9, the connection fails \(.+\): "
        rf"check the network, HF_ENDPOINT and the proxy's settings, then {AGAIN}; {NO_HUB}",
        message,
    )


@pytest.mark.parametrize("endpoint", ["huggingface", "ftp://127.0.0.1", "http://"])
def test_an_endpoint_that_is_no_address_is_one_sentence(tmp_path: Path, endpoint: str) -> None:
    with only_hub(endpoint, tmp_path):
        assert "HF_ENDPOINT and the proxy's settings" in refusal(fetch)


def test_a_proxy_that_is_no_address_is_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://user:secret@host")
    close_session()

    message = refusal(fetch)
    assert "HF_ENDPOINT and the proxy's settings" in message
    assert "secret" not in message


@pytest.mark.parametrize("answer", [{"id": "org/tiny"}, {"id": "org/tiny", "sha": "main"}, [], "<html>", None])
def test_a_server_that_is_not_the_hub_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    def answered(*args: object, **options: object) -> object:
        if isinstance(answer, dict):
            from huggingface_hub import ModelInfo

            return ModelInfo(**answer)
        raise ValueError(f"Expecting value: {answer}")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", answered)
    assert refusal(fetch) == (
        f"{hub.url} does not answer as the hub does: sign in to this network where it asks for it, or correct "
        f"HF_ENDPOINT and the proxy's settings; {NO_HUB}"
    )


def test_a_page_in_place_of_the_hub_is_told(hub: Hub) -> None:
    hub.faults = [Fault(match="/api/", altered=True)]

    assert "does not answer as the hub does" in refusal(fetch)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "a\\..\\x"])
def test_a_path_that_leads_out_of_its_folder_is_refused(hub: Hub, served: Path, path: str) -> None:
    repo = hub.repos["model", "org/tiny"]
    repo.files[path] = served / "sub/vocab.txt"
    repo.sums[path] = "0" * 64

    assert "does not answer as the hub does" in refusal(fetch)


def test_a_full_disk_is_noticed_before_the_download(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=200_000))

    assert re.fullmatch(
        re.escape(str(tmp_path / "cache"))
        + " has 200kB of free disk space, but the download and its copy need (300|600)kB: "
        "free some, or set HF_HOME to a folder on a larger disk",
        refusal(fetch),
    )
    assert downloads(hub) == []


def test_a_pin_that_the_hub_contradicts_is_refused_before_the_download(hub: Hub) -> None:
    repository = open_repository("org/tiny", "model")
    actual = hashlib.sha256(LARGE).hexdigest()
    assert repository.fetch(["model.safetensors"], {"model.safetensors": actual})
    hub.requests.clear()

    pin = "0" * 64
    assert refusal(lambda: repository.fetch(["model.safetensors"], {"model.safetensors": pin})) == (
        f"model.safetensors of {repository} has sha256 {actual}, but catalog.yaml expects {pin}: "
        "the hub's file is another one; pin the new one if the change is meant"
    )
    assert hub.requests == []


def test_the_pin_of_a_small_file_is_checked_once_it_is_here(hub: Hub) -> None:
    repository = open_repository("org/tiny", "model")
    actual = hashlib.sha256(SMALL).hexdigest()
    assert repository.fetch(["sub/vocab.txt"], {"sub/vocab.txt": actual, "other.txt": "0" * 64})
    assert repository.fetch(["sub/vocab.txt"], {"sub/vocab.txt": None})

    message = refusal(lambda: repository.fetch(["sub/vocab.txt"], {"sub/vocab.txt": "0" * 64}))
    assert message.startswith(f"sub/vocab.txt of {repository} has sha256 {actual}, but catalog.yaml expects {'0' * 64}")

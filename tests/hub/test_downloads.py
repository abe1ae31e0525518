"""The hub over loopback: what arrives, and what need not be downloaded again."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

from sentiment.sources.hub import open_repository
from tests.hub.client import LARGE, SMALL, fetch
from tests.hub_server import TOKEN, Hub


@pytest.mark.parametrize("revision", [None, "main", "commit"])
@pytest.mark.parametrize(("name", "kind"), [("org/tiny", "model"), ("org/toy", "dataset")])
def test_the_hubs_bytes_arrive_and_are_announced_before(
    hub: Hub, name: str, kind: Any, revision: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = hub.repos[kind, name].commit
    repository = open_repository(name, kind, commit if revision == "commit" else revision)
    local = repository.fetch(list(repository.files))

    assert (repository.commit, repository.licence) == (commit, "mit")
    assert {path: file.read_bytes() for path, file in local.items()} == {
        "model.safetensors": LARGE,
        "sub/vocab.txt": SMALL,
    }
    assert capsys.readouterr().out == (
        f"downloading 300kB of {kind} {name} at {commit[:8]}: model.safetensors 300kB, sub/vocab.txt 12.0B\n"
    )


def test_a_second_run_at_a_pinned_commit_downloads_nothing_and_needs_no_network(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = hub.repos["model", "org/tiny"].commit
    fetch(revision=commit)
    hub.requests.clear()
    capsys.readouterr()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert fetch(revision=commit).read_bytes() == LARGE
    assert hub.requests == []
    assert capsys.readouterr().out == ""


def test_the_cache_is_shared_with_other_programs_and_only_what_it_lacks_is_downloaded(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = hub.repos["model", "org/tiny"].commit
    hf_hub_download("org/tiny", "sub/vocab.txt", revision=commit)
    hub.requests.clear()
    local = open_repository("org/tiny", "model").fetch(["sub/vocab.txt", "model.safetensors"])

    assert local["sub/vocab.txt"].read_bytes() == SMALL
    assert "vocab" not in capsys.readouterr().out + str(hub.requests)
    assert try_to_load_from_cache("org/tiny", "model.safetensors", revision=commit) == str(local["model.safetensors"])


@pytest.mark.parametrize("damaged", [LARGE[:-1], LARGE[:-1] + b"!", b""])
def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again_at_once(
    hub: Hub, damaged: bytes, waits: list[float]
) -> None:
    fetch().write_bytes(damaged)

    assert fetch().read_bytes() == LARGE
    assert waits == []


@pytest.mark.parametrize("damaged", ["{", "[]", "{}", '{"sha": null}'])
def test_a_damaged_note_of_what_a_commit_holds_is_made_anew(hub: Hub, tmp_path: Path, damaged: str) -> None:
    commit = open_repository("org/tiny", "model").commit
    (note,) = (tmp_path / "cache").rglob(f"{commit}.json")
    note.write_text(damaged, encoding="utf-8")

    assert open_repository("org/tiny", "model", commit).files


def test_the_hubs_storage_is_not_sent_the_token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch()

    stored = {request.path.startswith("/storage/"): request.token for request in hub.requests}
    assert stored == {False: TOKEN, True: None}

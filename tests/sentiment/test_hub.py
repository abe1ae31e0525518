"""The hub over loopback: what arrives, what passing faults do to it, and what is said of lasting ones."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import close_session, constants, hf_hub_download, try_to_load_from_cache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment import hub as hub_module
from sentiment.errors import UserError
from sentiment.hub import open_repository
from sentiment.network import ATTEMPTS
from tests.hub_server import TOKEN, Fault, Hub, Repo, only_hub, running

ROOT = Path(__file__).parents[2]
LARGE = random.Random(0).randbytes(300_000)
SMALL = b"[PAD]\n[UNK]\n"
NO_HUB = "the default model and dataset need no hub, nor do your own files"
AGAIN = "run the same command again, which goes on where this one stopped"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    for name, content in {"model.safetensors": LARGE, "sub/vocab.txt": SMALL}.items():
        path = tmp_path / "served" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "served"


@pytest.fixture
def hub(served: Path, tmp_path: Path) -> Iterator[Hub]:
    """Serve the model org/tiny and the dataset org/toy, and let this process know no other hub."""
    repos = {("model", "org/tiny"): Repo(served), ("dataset", "org/toy"): Repo(served)}
    with running(Hub(repos)) as server, only_hub(server.url, tmp_path / "cache"):
        yield server


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that were waited between attempts, none of which passes."""
    seconds: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", seconds.append)
    return seconds


def fetch(name: str = "org/tiny", kind: Any = "model", **options: Any) -> Path:
    return open_repository(name, kind, **options).fetch(["model.safetensors"])["model.safetensors"]


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def downloads(hub: Hub) -> list[int]:
    """Return the first byte that each request for the large file asked for."""
    return [request.start for request in hub.requests if request.path.startswith("/storage/")]


def test_a_repository_is_its_files_with_sizes_and_checksums_at_a_commit(hub: Hub) -> None:
    commit = hub.repos["model", "org/tiny"].commit
    for revision in (None, "main", commit):
        repository = open_repository("org/tiny", "model", revision)
        assert (repository.commit, repository.licence) == (commit, "mit")
        assert {name: file.size for name, file in repository.files.items()} == {
            "model.safetensors": len(LARGE),
            "sub/vocab.txt": len(SMALL),
        }
        assert repository.files["model.safetensors"].sha256 == hashlib.sha256(LARGE).hexdigest()
        assert repository.files["sub/vocab.txt"].sha256 is None


@pytest.mark.parametrize(("name", "kind"), [("org/tiny", "model"), ("org/toy", "dataset")])
def test_the_hubs_bytes_arrive_and_are_announced_before(
    hub: Hub, name: str, kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = open_repository(name, kind)
    local = repository.fetch(list(repository.files))

    assert {path: file.read_bytes() for path, file in local.items()} == {
        "model.safetensors": LARGE,
        "sub/vocab.txt": SMALL,
    }
    assert capsys.readouterr().out == (
        f"downloading 300kB of {kind} {name} at {repository.commit[:8]}: model.safetensors 300kB, sub/vocab.txt 12.0B\n"
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


def test_only_what_is_missing_is_downloaded(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    repository = open_repository("org/tiny", "model")
    repository.fetch(["sub/vocab.txt"])
    capsys.readouterr()
    repository.fetch(["model.safetensors", "sub/vocab.txt"])

    assert "vocab" not in capsys.readouterr().out
    assert len([request for request in hub.requests if request.path.endswith("vocab.txt")]) == 1


def test_the_cache_is_shared_with_other_programs(hub: Hub) -> None:
    commit = hub.repos["model", "org/tiny"].commit
    hf_hub_download("org/tiny", "sub/vocab.txt", revision=commit)
    repository = open_repository("org/tiny", "model")
    hub.requests.clear()
    assert repository.fetch(["sub/vocab.txt"])["sub/vocab.txt"].read_bytes() == SMALL
    assert hub.requests == []

    fetch()
    assert Path(str(try_to_load_from_cache("org/tiny", "model.safetensors", revision=commit))).read_bytes() == LARGE


@pytest.mark.parametrize("damaged", [LARGE[:-1], LARGE[:-1] + b"!", b""])
def test_a_file_that_was_damaged_in_the_cache_is_fetched_anew(hub: Hub, damaged: bytes) -> None:
    fetch().write_bytes(damaged)

    assert fetch().read_bytes() == LARGE


def test_a_damaged_note_of_what_a_commit_holds_is_made_anew(hub: Hub, tmp_path: Path) -> None:
    commit = open_repository("org/tiny", "model").commit
    (note,) = (tmp_path / "cache").rglob(f"{commit}.json")
    note.write_text("{", encoding="utf-8")

    assert open_repository("org/tiny", "model", commit).files


def test_side_by_side_a_file_is_downloaded_once(hub: Hub) -> None:
    repository = open_repository("org/tiny", "model")
    threads = [threading.Thread(target=repository.fetch, args=(["model.safetensors"],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(downloads(hub)) == 1
    assert fetch().read_bytes() == LARGE


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


def script(code: str, home: Path, **environment: str) -> list[str]:
    """Return the command and its environment of a process that knows the hub by its environment only."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(("HF_", "HTTP"))}
    settings = {"HF_HOME": str(home), "PYTHONPATH": str(ROOT), "NO_PROXY": "", "no_proxy": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | settings | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return [str(done.returncode), done.stdout, done.stderr]


RUN = """
from sentiment.command import run
from sentiment.hub import open_repository
run(lambda: print(open_repository("org/tiny", "model").fetch(["sub/vocab.txt"])), "download", network=True)
"""


def test_endpoint_proxy_and_token_are_taken_from_the_environment(hub: Hub, tmp_path: Path) -> None:
    hub.repos["model", "org/tiny"].access = "private"
    (tmp_path / "home").mkdir()
    code, out, err = script(
        f"import os; os.chdir({str(tmp_path)!r})\n" + RUN,
        tmp_path / "home",
        HF_ENDPOINT="http://hub.invalid",
        HTTP_PROXY=hub.url,
        HF_TOKEN=TOKEN,
        HF_DEBUG="0",
    )

    assert (code, err.count("Traceback")) == ("0", 0), err
    assert "sub/vocab.txt" in out
    assert TOKEN not in out + err


def test_a_refusal_is_the_last_line_of_the_command_and_holds_no_token(hub: Hub, tmp_path: Path) -> None:
    hub.repos["model", "org/tiny"].access = "gated"
    secret = "hf_another_secret_token"
    code, out, err = script(
        f"import os; os.chdir({str(tmp_path)!r})\n" + RUN, tmp_path / "home", HF_ENDPOINT=hub.url, HF_TOKEN=secret
    )

    assert code == "1"
    assert err.splitlines()[-1].startswith("download: error: model org/tiny is gated: accept its conditions on ")
    assert "Traceback" not in err
    assert secret not in out + err


KILLED = """
import os, sys
from sentiment.hub import open_repository
repository = open_repository("org/tiny", "model")
for attempt in range(int(sys.argv[1])):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    repository.fetch(["model.safetensors"])
    os._exit(0)
print(repository.fetch(["model.safetensors"])["model.safetensors"])
"""


def test_killed_at_a_random_byte_twenty_times_a_download_ends_with_the_right_bytes(hub: Hub, tmp_path: Path) -> None:
    home, draw = tmp_path / "home", random.Random(1)

    def kill_at_once(size: int) -> None:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    def kill_once_on_disk(size: int) -> None:
        while not any(path.stat().st_size >= size for path in home.rglob("*.incomplete")):
            if hub.closing.wait(0.001):
                return
        kill_at_once(size)

    kills = [kill_at_once, kill_once_on_disk] * 10
    hub.faults = [Fault(match="/storage/", after=draw.randrange(25_000), call=kill) for kill in kills]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "20"],
        cwd=tmp_path,
        env=environment | {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.splitlines()[-1]).read_bytes() == LARGE
    starts = downloads(hub)
    assert len(starts) == 21
    assert starts == sorted(starts)
    assert starts[-1] > 60_000

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from sentiment.core.errors import UserError
from sentiment.sources.hub import Kind
from sentiment.sources.locations import FolderSource, HubSource, PackageSource, Source
from tests.hub_repositories import Repo
from tests.hub_server import Hub, only_hub, running

REVISION = "0123456789abcdef" * 2 + "01234567"
CONTENT = b"the bytes of the file\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def locate(source: Source, file: str, expected: str | None, kind: Kind) -> Path:
    return source.locate({file: expected}, kind)[file]


def test_a_file_of_a_folder_is_found_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    assert locate(FolderSource(folder=str(tmp_path)), "a.txt", SHA256, "dataset") == tmp_path / "a.txt"


def test_a_missing_file_is_refused_with_its_source_and_the_remedy(tmp_path: Path) -> None:
    sentence = f"a.txt is missing in folder {tmp_path}: restore it, or correct the entry in catalog.yaml"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        locate(FolderSource(folder=str(tmp_path)), "a.txt", SHA256, "dataset")


def test_a_changed_file_is_refused_with_both_hashes_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT + b"!")
    changed = hashlib.sha256(CONTENT + b"!").hexdigest()
    with pytest.raises(UserError) as caught:
        locate(FolderSource(folder=str(tmp_path)), "a.txt", SHA256, "dataset")
    assert str(caught.value) == (
        f"a.txt of folder {tmp_path} has sha256 {changed}, but catalog.yaml expects {SHA256}: "
        "it was changed or damaged; restore it, or pin the new one if the change is meant"
    )


def test_a_packages_file_is_found_without_running_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package_of_the_test"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "model" / "a.txt").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    found = locate(PackageSource(package=package.name, folder="model"), "a.txt", SHA256, "model")
    assert found == package / "model" / "a.txt"


def test_a_package_that_is_not_installed_is_refused_with_the_remedy() -> None:
    name = "no_such_package_at_all"
    sentence = f"the model's package {name} is not installed: pip install -r requirements.txt"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        locate(PackageSource(package=name, folder="model"), "a.txt", SHA256, "model")


def test_several_files_are_found_at_once(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(CONTENT)
    source = FolderSource(folder=str(tmp_path))
    assert source.locate({"a.txt": SHA256, "b.txt": SHA256}, "dataset") == {
        "a.txt": tmp_path / "a.txt",
        "b.txt": tmp_path / "b.txt",
    }


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_the_hubs_files_are_found_at_the_pinned_commit(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.txt").write_bytes(CONTENT)
    source = HubSource(hub="org/tiny", revision=REVISION)
    repos = {(kind, "org/tiny"): Repo(tmp_path / "served", REVISION)}
    with running(Hub(repos)) as hub, only_hub(hub.url, tmp_path / "cache"):
        assert locate(source, "a.txt", SHA256, kind).read_bytes() == CONTENT
        assert locate(source, "a.txt", None, kind).read_bytes() == CONTENT
        with pytest.raises(UserError, match=f"^a.txt of {kind} org/tiny at 01234567 has sha256 {SHA256}, but catalog"):
            locate(source, "a.txt", "0" * 64, kind)

import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.files import replacing, round_floats, sha256, write_json

nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_a_new_file_replaces_the_old_one_and_leaves_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out.txt"
    for content in ("first", "second"):
        with replacing(path) as temporary:
            assert temporary.parent == path.parent
            temporary.write_text(content)
        assert path.read_text() == content
    assert [entry.name for entry in path.parent.iterdir()] == ["out.txt"]


def test_a_new_folder_replaces_the_old_one_with_all_that_was_in_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for name in ("old", "new"):
        with replacing(path) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_folder_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    (target / "kept").touch()
    path.symlink_to(target)
    with replacing(path) as temporary:
        temporary.mkdir()
    assert not path.is_symlink()
    assert (target / "kept").exists()


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_leaves_the_old_content_and_no_temporary(
    tmp_path: Path, failure: type[BaseException], kind: str
) -> None:
    path = tmp_path / "out"
    kept = path if kind == "file" else path / "kept"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            if kind == "folder":
                temporary.mkdir()
            (temporary if kind == "file" else temporary / "half").write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert kept.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_nothing_is_a_failure_that_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert (path / "kept").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_run_left_is_removed_first(tmp_path: Path, kind: str) -> None:
    left = tmp_path / "out.tmp"
    if kind == "file":
        left.write_text("left")
    else:
        left.mkdir()
        (left / "left").touch()
    with replacing(tmp_path / "out") as temporary:
        assert not temporary.exists()
        temporary.write_text("new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@given(nested)
def test_rounding_twice_is_rounding_once_and_changes_floats_only(value: object) -> None:
    once = round_floats(value)
    assert round_floats(once) == once
    assert json.loads(json.dumps(once)) == once

    def compare(before: object, after: object) -> None:
        if isinstance(before, dict | list):
            assert isinstance(after, dict | list)
            assert len(before) == len(after)
            parts = ((before[key], after[key]) for key in (before if isinstance(before, dict) else range(len(before))))
            for part in parts:
                compare(*part)
        elif isinstance(before, float):
            assert math.isclose(before, after, rel_tol=1e-15, abs_tol=0.5000001e-6)
        else:
            assert before is after

    compare(value, once)


def test_json_is_sorted_indented_rounded_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, {"b": 1 / 3, "a": {"é": (True, 2, None)}})
    assert path.read_bytes().decode() == (
        '{\n  "a": {\n    "é": [\n      true,\n      2,\n      null\n    ]\n  },\n  "b": 0.333333\n}\n'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_refuses_what_it_cannot_hold_and_keeps_the_old_file(tmp_path: Path, value: float) -> None:
    path = tmp_path / "figures.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": [value]})
    assert path.read_text() == "old"


@given(content=st.binary(max_size=200))
def test_sha256_is_that_of_the_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()

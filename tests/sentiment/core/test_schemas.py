"""What is no YAML, or YAML of something else, is refused with its place."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.params import load_params

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("seed: 7\n", r', line \d+ is not YAML: found duplicate key "seed"'),
        ("x: [1,\n", r", line \d+ is not YAML: expected the node content"),
        ("\tx: 1\n", r", line \d+ is not YAML: found character '\\t'"),
        ("x: *nowhere\n", r", line \d+ is not YAML: found undefined alias 'nowhere'"),
        ("x: !!python/name:os.system\n", r", line \d+ is not YAML: could not determine a constructor"),
        ("\0", r" is not YAML: unacceptable character #x0000"),
        ("x: 2024-99-99\n", r".* is not YAML: "),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(tmp_path: Path, more: str, problem: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text(encoding="utf-8") + more, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_params(path)
    assert re.match(re.escape(str(path)) + problem, str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"# \xe9\n", b"- a list\n", b"just words"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}[^\n]+$"):
        load_params(path)


def test_a_missing_file_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        UserError, match=r"^nowhere\.yaml is missing: run from the project's folder, after the stage that makes it$"
    ):
        load_params("nowhere.yaml")


@given(content=st.binary(max_size=60) | st.text("ab:- \n\t{}[]&*!|>'\"#%@`0123.eE+~", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}[^\n]+$"):
        load_params(path)

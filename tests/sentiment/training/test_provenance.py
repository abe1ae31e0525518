from collections.abc import Callable
from pathlib import Path

from sentiment.core.files import sha256
from sentiment.core.params import Params
from sentiment.training.provenance import PACKAGES, environment, provenance_of


def test_the_environment_names_all_that_bits_depend_on(params_with: Callable[..., Params]) -> None:
    found = environment(params_with(threads=2, precision="bf16"))
    assert set(found) == {"python", "packages", "threads", "portable", "cpu_capability", "cuda", "device", "precision"}
    assert set(found["packages"]) == set(PACKAGES)
    assert (found["threads"], found["precision"]) == (2, "bf16")
    assert environment(params_with(precision="fp32"))["precision"] == "fp32"


def test_every_input_and_every_parameter_that_decides_is_recorded(
    params_with: Callable[..., Params], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/file").write_text("content")
    params = params_with(precision="fp32")
    found = provenance_of(params, [tmp_path])
    assert found["inputs"] == {(tmp_path / "deep/file").as_posix(): sha256(tmp_path / "deep/file")}
    assert found["parameters"]["train"]["lr"] == params.train.lr
    assert not {"max_minutes", "over_time"} & set(found["parameters"]["train"])
    other = params_with(precision="fp32", evaluate={"batch_size": 7})
    assert provenance_of(other, [tmp_path]) != found

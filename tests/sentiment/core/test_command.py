import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.core.command import run
from sentiment.core.errors import UserError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "as before")


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def test_a_command_that_ends_says_so_and_logs_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        run(lambda: print("working"), "stage")
    printed = capsys.readouterr()
    assert printed.out == "working\n" * 2
    assert re.fullmatch(r"(stage: done in \d+\.\d s\n){2}", printed.err)
    lines = [json.loads(line) for line in Path("logs/timings.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"command", "seconds", "ended"}] * 2
    assert {line["command"] for line in lines} == {"stage"}


def test_what_an_output_cannot_spell_is_escaped() -> None:
    code = "from sentiment.core.command import run\nrun(lambda: print('caf\u00e9 \N{GRINNING FACE}'), 'stage')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert done.stdout.splitlines() == [b"caf\xe9 \\U0001f600"]


def test_work_that_is_done_has_not_failed_where_the_log_cant_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("logs").touch()
    run(lambda: None, "stage")
    assert capsys.readouterr().err.startswith("stage: done in ")


MISSING = "; dvc repro makes what is missing, or give the path of a file that exists"
REMEDY = "; free space or correct the permissions, then run the same command again"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("a.parquet, row 3: text is null"), "a.parquet, row 3: text is null"),
        (
            FileNotFoundError(2, "No such file or directory", "gone.txt"),
            f"gone.txt: No such file or directory{MISSING}",
        ),
        (PermissionError(13, "Permission denied", "shut.txt"), f"shut.txt: Permission denied{REMEDY}"),
        (OSError(28, "No space left on device"), f"the operating system: No space left on device{REMEDY}"),
        (OSError("only words"), f"the operating system: only words{REMEDY}"),
    ],
)
def test_a_mistake_that_its_user_can_mend_is_one_line(error: Exception, sentence: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(raising(error), "stage")
    # The interpreter prints a string to stderr and exits with 1.
    assert caught.value.code == f"stage: error: {sentence}"
    assert not Path("logs").exists()


def test_an_interrupted_command_exits_with_130_and_says_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(raising(KeyboardInterrupt()), "stage")
    assert caught.value.code == 130
    assert capsys.readouterr().err == "stage: interrupted; the same command again starts over or continues\n"


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()), "stage")


@pytest.mark.parametrize(("network", "expected"), [(False, "1"), (True, "as before")])
def test_the_hub_is_switched_off_unless_the_command_needs_the_network(*, network: bool, expected: str) -> None:
    seen: list[str] = []
    run(lambda: seen.append(os.environ["HF_HUB_OFFLINE"]), "stage", network=network)
    assert seen == [expected]


def test_a_mistake_on_the_command_line_is_one_line_on_stderr_and_exit_code_1() -> None:
    code = """
from sentiment.core.command import run
from sentiment.core.params import load_params
run(load_params, "stage")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("stage: error: params.yaml is missing: run from the project's folder")
    assert len(done.stderr.splitlines()) == 1


def test_no_stage_loads_the_hub_before_it_can_be_switched_off() -> None:
    names = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))
    code = "import sys, importlib\n" + "".join(f"importlib.import_module('stages.{name}')\n" for name in names)
    code += "print(*(m for m in ('huggingface_hub', 'torch', 'transformers') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert names
    assert done.stdout == "\n"

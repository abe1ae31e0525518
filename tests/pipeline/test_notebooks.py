"""The notebooks run from top to bottom in a clean folder, without a GPU and without the hub."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.project import ROOT, Project


def printed(notebook: Path, folder: Path, code_cells: int | None = None) -> str:
    """Run all cells in the folder, or as many of the first ones; return what they printed and returned."""
    cells = nbformat.read(notebook, as_version=4)
    cells.cells = [cell for cell in cells.cells if cell.cell_type == "code"][:code_cells]
    NotebookClient(cells, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in cells.cells for output in cell.outputs]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def predicted(model: str) -> dict[str, float]:
    """Return the minutes of an epoch that are predicted for one T4 and for two."""
    minutes = json.loads((ROOT / "benchmarks/costs.json").read_text(encoding="utf-8"))["models"][model]["minutes"]
    return {device: minutes[device] for device in ("T4", "2 T4")}


@pytest.fixture(autouse=True)
def activated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.mark.slow
def test_the_first_steps_end_with_a_model_that_beats_a_coin(new_project: Callable[[], Project]) -> None:
    folder = new_project().folder / "notebooks"
    output = printed(folder / "first_steps.ipynb", folder)

    assert "contained" in output
    assert "positive: I have seen livelier car parks." in output


@pytest.mark.slow
def test_without_a_gpu_the_notebook_for_colab_trains_the_default_and_says_what_it_skips(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What another checkout has already run need not run again: that it would is what other tests are for.
    (tmp_path / "config").write_text(f"[cache]\n    dir = {project.folder}/.dvc/cache\n")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("SENTIMENT_REPOSITORY", str(project.folder))
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    output = printed(project.folder / "notebooks/colab.ipynb", tmp_path)

    assert "skipped, as it needs a GPU and the hub: dvc exp run" in output
    for device, one_epoch in predicted("distilbert-base-uncased").items():
        assert f"with distilbert-base-uncased on {device}: {2 * one_epoch:.1f} minutes, predicted" in output
    assert "metrics/evaluate.json" in output
    assert (tmp_path / "kept/exported/onnx/model_quantized.onnx").exists()
    assert (tmp_path / "kept/plots/index.html").exists()


def test_the_notebook_for_colab_names_the_gpus_that_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi = tmp_path / "nvidia-smi"
    nvidia_smi.write_text("#!/bin/sh\necho 'GPU 0: Tesla T4'\necho 'GPU 1: Tesla T4'\n", encoding="utf-8")
    nvidia_smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setenv("SENTIMENT_REPOSITORY", "address")

    output = printed(ROOT / "notebooks/colab.ipynb", tmp_path, code_cells=1)

    assert output == "Kaggle\nGPU 0: Tesla T4\nGPU 1: Tesla T4\n"


def test_the_notebook_for_colab_asks_for_the_address_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENTIMENT_REPOSITORY", raising=False)

    with pytest.raises(CellExecutionError, match="write the address of the project, as git clone takes it"):
        printed(ROOT / "notebooks/colab.ipynb", tmp_path)

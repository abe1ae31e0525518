"""Kill the pipeline at random moments, again and again, and check that nothing comes of it.

Writes  benchmarks/soak.json    how many kills of what, and where they hit

    python -m tests.soak [--kills 27] [--scoring 20] [--seed 1] [--folder FOLDER]

In a shrunken copy of this project: `train` is killed (SIGKILL, the whole process tree) three times in a row, then left
alone, and must end with the weights, metrics and curves of a run that was never killed; half of the kills hit while a
checkpoint is being written. Then every stage is killed under `dvc repro`: each of its outputs must be absent or whole,
and the next `dvc repro`, which may not take results from the cache, must end with the old dvc.lock. Ends with an error
where any of it does not hold. Last, two workers score files, and they or their driver are killed: the outputs must be
those of one process. DVC does not write its own files, dvc.lock and .dvc/tmp/rwlock, whole or not at all:
where a kill left a part of one, it is mended as a person has to, and counted.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from tqdm import tqdm

from sentiment.core.files import write_json
from sentiment.core.schemas import read_yaml
from tests.project import ROOT, Project, shrunken
from tests.sentiment.scoring.kills import Scoring

RESULTS = ROOT / "benchmarks/soak.json"
KILLS_IN_A_ROW = 3
KILLS_OF_EACH_STAGE = 3
TRAIN = (sys.executable, "-m", "stages.train")
TRAINED = ("models/sentiment", "metrics/train.json", "plots/training")


def contents(project: Project, *places: str) -> dict[str, str]:
    """Return the sha256 of every file of these files and folders."""
    paths = [project.folder / place for place in places]
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {
        file.relative_to(project.folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill the process and its children; say whether it was still running."""
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def at_random(draw: random.Random, longest: float) -> Callable[[Project], bool]:
    """Return a condition that becomes true after a random share of `longest` seconds."""
    end = time.monotonic() + draw.uniform(0, longest)
    return lambda _: time.monotonic() > end


def unfinished(project: Project) -> list[Path]:
    """Return the checkpoints that are being written, or were when the training was killed."""
    found = project.folder.glob("checkpoints/*/checkpoint-*")
    return [path for path in found if not (path / "average.safetensors").exists()]


def while_saving(draw: random.Random, known: list[Path]) -> Callable[[Project], bool]:
    """Return a condition that becomes true a moment after a checkpoint that is not yet known was begun."""
    delay = draw.uniform(0, 0.5)

    def due(project: Project) -> bool:
        if set(unfinished(project)) - set(known):
            time.sleep(delay)
            return True
        return False

    return due


def phase(project: Project) -> str:
    if (project.folder / "models/sentiment.tmp").exists():
        return "while the model was written"
    if unfinished(project):
        return "while a checkpoint was written"
    if list(project.folder.glob("checkpoints/*/checkpoint-*")):
        return "between checkpoints"
    return "before the first checkpoint"


def kill_train(project: Project, kills: int, draw: random.Random) -> Counter[str]:
    """Kill the training so often, compare its results after each row of kills; return where the kills hit."""
    expected = contents(project, *TRAINED)
    started = time.monotonic()
    project.run(*TRAIN)
    duration = time.monotonic() - started
    assert contents(project, *TRAINED) == expected, "two undisturbed runs differ"
    hit: Counter[str] = Counter()
    with tqdm(total=kills, desc="train", unit="kill") as bar:
        while hit.total() < kills:
            shutil.rmtree(project.folder / "plots/training")
            for _ in range(KILLS_IN_A_ROW):
                known = unfinished(project)
                due = while_saving(draw, known) if draw.random() < 0.5 else at_random(draw, duration)
                process = project.start(*TRAIN)
                while process.poll() is None and not due(project):
                    time.sleep(0.01)
                if not kill(process):
                    break
                hit[phase(project)] += 1
                bar.update()
                assert contents(project, "models/sentiment").items() <= expected.items()
            project.run(*TRAIN)
            assert contents(project, *TRAINED) == expected, "a killed training ended with other bytes"
            assert not list(project.folder.glob("checkpoints/*")), "a checkpoint was left"
    return hit


def mended(project: Project, lock: str) -> int:
    """Mend those of DVC's own files of which a kill left a part, as docs/reliability.md says; return their number."""
    note = project.folder / ".dvc/tmp/rwlock"
    parts = 0
    if note.exists() and not note.read_text(encoding="utf-8").endswith("}"):
        note.unlink()
        parts += 1
    if project.read("dvc.lock") != lock:
        project.run("git", "checkout", "--quiet", "dvc.lock")
        parts += 1
    return parts


def kill_stages(project: Project, draw: random.Random) -> tuple[dict[str, int], int]:
    """Kill every stage under dvc repro, and check that its outputs are absent or whole.

    Returns the number of kills by stage, and that of DVC's own files that were mended.
    The curves of a training are no such outputs: they are meant to be looked at while they grow.
    """
    lock = project.read("dvc.lock")
    locked = read_yaml(project.folder / "dvc.lock")["stages"]
    kills, parts = {}, 0
    for name in tqdm(project.dvc("stage", "list", "--name-only").split(), unit="stage"):
        outs = [out["path"] for out in locked[name]["outs"] if not out["path"].startswith("plots/training")]
        whole = {out: contents(project, out) for out in outs}
        command = ("dvc", "repro", "--single-item", "--force", name)
        started = time.monotonic()
        project.run(*command)
        duration = time.monotonic() - started
        kills[name] = 0
        while kills[name] < KILLS_OF_EACH_STAGE:
            due = at_random(draw, duration)
            process = project.start(*command)
            while process.poll() is None and not due(project):
                time.sleep(0.01)
            kills[name] += kill(process)
            parts += mended(project, lock)
            for out in outs:
                assert contents(project, out) in ({}, whole[out]), f"{name} left a part of {out}"
        project.run("dvc", "repro", "--no-run-cache", name)
        assert project.read("dvc.lock") == lock, f"{name} gave another dvc.lock after it was killed"
    return kills, parts


def main() -> None:
    parser = ArgumentParser("soak")
    parser.add_argument("--kills", type=int, default=27)
    parser.add_argument("--scoring", type=int, default=20, help="kills of workers that score, and of their driver")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="an empty folder for the copy; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        project = shrunken(arguments.folder or Path(temporary))
        project.set({"train.validations_per_epoch": 3})
        project.dvc("repro")
        project.commit("first run")
        draw = random.Random(arguments.seed)
        hit = kill_train(project, arguments.kills, draw)
        stages, parts = kill_stages(project, draw)
        reviews = pq.read_table(project.folder / "data/subsampled/train.parquet", columns=["text"])
        scoring = Scoring(project.folder / "scoring", project.folder / "models/exported", reviews, times=5)
        scored = scoring.kill(arguments.scoring, draw)
    write_json(
        RESULTS,
        {
            "train": {"kills": hit.total(), "hit": hit},
            "scoring": {"kills": scored.total(), "hit": scored},
            "stages": {
                "kills": sum(stages.values()),
                "by_stage": stages,
                "partial_outputs": 0,
                "parts_of_dvcs_own_files": parts,
            },
        },
    )
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

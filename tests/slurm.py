"""A cluster of two machines that is this one: stand-ins for Slurm's commands, and a job's environment."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SRUN = """
import os, signal, subprocess, sys, time

arguments = sys.argv[1:]
options = {}
while arguments[0].startswith("--"):
    name, _, options[name] = arguments.pop(0).partition("=")
tasks = []
for number in range(int(options["--ntasks"])):
    told = {"SLURM_NTASKS": options["--ntasks"], "SLURM_PROCID": str(number), "SLURM_LOCALID": "0"}
    tasks.append(subprocess.Popen(arguments, env=os.environ | told))
# As srun does: most signals reach the tasks, these two kill them.
signal.signal(signal.SIGUSR1, lambda *_: [task.send_signal(signal.SIGUSR1) for task in tasks])
for sign in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(sign, lambda *_: [task.kill() for task in tasks])
while any(task.poll() is None for task in tasks):
    if "--kill-on-bad-exit" in options and any(task.returncode for task in tasks):
        time.sleep(5)
        for task in tasks:
            task.kill()
    time.sleep(0.1)
sys.exit(max(task.returncode if task.returncode >= 0 else 128 - task.returncode for task in tasks))
"""
SCONTROL = r"""
import sys

if sys.argv[1] == "show":
    print("127.0.0.1\n127.0.0.2")
else:
    open("requeued", "a").write(" ".join(sys.argv[1:]) + "\n")
"""


class Cluster:
    """Runs deploy/slurm.sbatch in a folder as a job of so many processes."""

    def __init__(self, folder: Path, processes: int) -> None:
        self.folder, self.processes = folder, processes
        self.number = str(os.getpid() % 10_000)
        for name, code in (("srun", SRUN), ("scontrol", SCONTROL)):
            self.install(name, f"#!{sys.executable}\n{code}")

    def install(self, name: str, script: str) -> None:
        """Put a command into the environment that the job activates."""
        commands = self.folder / ".venv/bin"
        commands.mkdir(parents=True, exist_ok=True)
        (commands / "activate").write_text(f"PATH={commands}:{Path(sys.executable).parent}:$PATH\n", encoding="utf-8")
        (commands / name).write_text(script, encoding="utf-8")
        (commands / name).chmod(0o755)

    def submit(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the job with dvc's arguments."""
        job = {"JOB_ID": self.number, "JOB_NODELIST": "machine[1-2]", "JOB_NUM_NODES": str(self.processes)}
        job |= {"NTASKS_PER_NODE": "1", "CPUS_PER_TASK": "1"}
        left_out = {"SENTIMENT_CHECKPOINT_DIR", "WORLD_SIZE", "RANK"}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        own = {f"SLURM_{name}": value for name, value in job.items()} | {
            "PYTHONPATH": str(ROOT),
            "DVC_NO_ANALYTICS": "1",
        }
        return subprocess.Popen(
            ["bash", ROOT / "deploy/slurm.sbatch", *arguments],
            cwd=self.folder,
            env=inherited | own,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def requeued(self) -> str:
        """Return what scontrol was asked to do."""
        file = self.folder / "requeued"
        return file.read_text(encoding="utf-8") if file.exists() else ""

"""Read the results that stages and benchmarks write."""

import json
from pathlib import Path
from typing import Any

from sentiment.core.errors import UserError

COMMANDS = {
    "checkpoints": "python -m benchmarks.checkpoints",
    "costs": "python -m benchmarks.costs",
    "datasets": "python -m benchmarks.dataset_survey FOLDER",
    "explanation": "python -m benchmarks.explanation",
    "gpu": "python -m benchmarks.gpu",
    "imdb": "python -m benchmarks.imdb FOLDER",
    "imdb_sweep": "python -m benchmarks.sweep benchmarks/imdb_sweep.yaml FOLDER",
    "large_table": "python -m benchmarks.large_table FOLDER",
    "learning_curves": "python -m benchmarks.learning_curves",
    "load": "python -m benchmarks.load",
    "models": "make models",
    "portable": "python -m benchmarks.portable",
    "preparing": "python -m benchmarks.preparing FOLDER",
    "pretrained_tokenizers": "python -m benchmarks.pretrained_tokenizers FOLDER NAMES",
    "real_reviews": "python -m benchmarks.real_reviews FOLDER NAMES",
    "results": "make bench",
    "results_with_amx": "make bench",
    "results_without_bf16": "make bench",
    "scoring": "python -m benchmarks.scoring FOLDER",
    "seeds": "make seeds",
    "serving": "python -m benchmarks.serving",
    "serving_without_vnni": "python -m benchmarks.serving",
    "soak": "make soak",
    "soups": "python -m benchmarks.soups FOLDER",
    "sweep": "make sweep",
    "sweep_films": "python -m benchmarks.sweep benchmarks/sweep_films.yaml",
    "sweep_steps": "python -m benchmarks.sweep benchmarks/sweep_steps.yaml",
    "tolerance": "python -m benchmarks.tolerance",
    "transfer": "make transfer",
    "waiting": "python -m benchmarks.waiting",
    "workers": "python -m benchmarks.workers FOLDER",
}
"""What writes benchmarks/NAME.json, by NAME."""


class NotMeasuredError(UserError):
    """There is no result of a benchmark yet; the message says which command measures it."""


def read(file: str) -> Any:
    """Return the content of a JSON file; raise NotMeasuredError where it is a benchmark's and does not exist."""
    path = Path(file)
    if path.parent.name == "benchmarks" and path.stem in COMMANDS and not path.exists():
        raise NotMeasuredError(f"Not measured yet: `{COMMANDS[path.stem]}` does it.")
    return json.loads(path.read_text(encoding="utf-8"))

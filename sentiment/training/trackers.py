"""Trackers that follow a training beside DVCLive, by transformers' own integrations."""

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from sentiment.core.errors import UserError

LOGS = Path("logs")
PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny sqlalchemy alembic", "wandb": "wandb"}
"""What to install. All of mlflow asks for older versions of packages that are pinned here."""


def prepare(trackers: Sequence[str]) -> None:
    """Let trackers write below logs/ and leave the network alone, where the environment does not say otherwise.

    Raises UserError where the package of one is not installed.
    """
    if missing := [PACKAGES[name] for name in trackers if not find_spec(name)]:
        raise UserError(
            f"train.report_to names what is not installed: python -m pip install {' '.join(missing)}, "
            "or train.report_to: none"
        )
    logs = LOGS.absolute()
    logs.mkdir(exist_ok=True)
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(logs / "tensorboard" / time.strftime("%Y%m%d-%H%M%S")))
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(logs / 'mlflow.db').as_posix()}")
    os.environ.setdefault("WANDB_DIR", str(logs))
    os.environ.setdefault("WANDB_MODE", "offline")

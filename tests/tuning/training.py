"""Stands in for `train` in tests of tuning: validates four times within two seconds, best at a rate of 2e-4."""

import json
import os
import time
from pathlib import Path

from ruamel.yaml import YAML

rate = YAML(typ="safe", pure=True).load(Path("params.yaml"))["train"]["lr"]
log_loss = round(0.3 + abs(rate - 2e-4) * 1000, 6)
history = []
for step in range(1, 5):
    time.sleep(0.5)
    history.append({"step": step, "eval_log_loss": log_loss + 1 / step})
    state = Path(os.environ["SENTIMENT_CHECKPOINT_DIR"]) / f"key/checkpoint-{step}/trainer_state.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps({"log_history": history}), encoding="utf-8")
Path("metrics").mkdir(exist_ok=True)
Path("metrics/train.json").write_text(json.dumps({"validation": {"log_loss": log_loss}}), encoding="utf-8")

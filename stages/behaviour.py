"""Check how the fine-tuned model behaves on short reviews that each test one capability.

Reads   models/sentiment/, sentiment/evaluation/behaviour.yaml
Writes  metrics/behaviour.json                   failure rate of every capability
        data/predictions/behaviour.parquet       every case, its scores, and whether it failed
        plots/behaviour.json                     failure rate of every check, with its interval and n

    python -m stages.behaviour
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.model.reproducible import fix_bits

MODEL = Path("models/sentiment")
CHECKS = Path("sentiment/evaluation/behaviour.yaml")
METRICS = Path("metrics/behaviour.json")
PREDICTIONS = Path("data/predictions/behaviour.parquet")
PLOT = Path("plots/behaviour.json")


def main() -> None:
    params = load_params()

    import pyarrow as pa

    from sentiment.core.parquet import write_parquet
    from sentiment.evaluation.behaviour import failure_rates, load_behaviour, score_cases
    from sentiment.evaluation.scorer import Scorer
    from sentiment.metrics import points

    behaviour = load_behaviour(CHECKS)
    fix_bits(params)
    scorer = Scorer(MODEL, params)
    table = score_cases(behaviour, scorer.score_texts, scorer.decision.threshold)
    capabilities, checks = failure_rates(table)
    write_parquet(PREDICTIONS, pa.Table.from_pandas(table, preserve_index=False))
    write_json(PLOT, points("check", checks, "failure_rate"))
    write_json(METRICS, {capability: rate["failure_rate"] for capability, rate in capabilities.items()})
    for capability, rate in capabilities.items():
        print(f"{capability}: {rate['failure_rate']:.1%} of {rate['n']} cases failed")


if __name__ == "__main__":
    run(main, "behaviour")

"""Compare the predictions of two runs of the pipeline, review by review.

A run is an experiment, a branch, a tag, a commit, or `workspace` (the files as they are now). Everything is read from
git and the DVC cache; nothing is checked out, run or written.

Reads   data/predictions/, data/subsampled/test.parquet, data/cross/, models/sentiment/preprocessing.json,
        metrics/train.json, params.yaml, dvc.lock
Prints  per dataset: both accuracies, their difference with its interval, McNemar's exact p, the reviews whose verdict
        flipped; and the parameters that differ. Datasets without the same reviews in both runs are refused, and so are
        runs whose predictions are older than their data or parameters, as after `dvc exp run subsample`.

    python -m sentiment.comparison main my-experiment            (make compare A=main B=my-experiment)
    python -m sentiment.comparison main workspace --md           for a pull request; --json for a program
"""

import json
from argparse import ArgumentParser

from sentiment.comparison.runs import WORKSPACE, Run
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import round_floats

FLIPS = 5


def main() -> None:
    parser = ArgumentParser("compare", description="Compare the predictions of two runs, review by review.")
    parser.add_argument("a", metavar="A", help=f"an experiment, branch, tag, commit, or {WORKSPACE}")
    parser.add_argument("b", metavar="B", help="another one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--md", action="store_true", help="print Markdown")
    arguments = parser.parse_args()
    a, b = Run(arguments.a), Run(arguments.b)

    from tqdm import tqdm

    from sentiment.comparison.report import text_of
    from sentiment.comparison.significance import changed_parameters, compare, flips, pair

    results, refused = {}, []
    thresholds = a.threshold, b.threshold
    common = [dataset for dataset in a.datasets if dataset in b.datasets]
    for dataset in common:
        a.require_fresh(dataset)
        b.require_fresh(dataset)
    for dataset in tqdm(common, desc="compare", unit="dataset", delay=1):
        predictions = a.predictions(dataset), b.predictions(dataset)
        try:
            pairs = pair(*predictions, dataset)
        except UserError as error:
            refused.append(str(error))
            continue
        found = compare(pairs, thresholds)
        results[dataset] = found | {"flips": flips(pairs, a.texts(dataset), FLIPS, thresholds)}

    report = {
        "a": {"name": a.name, "revision": a.revision},
        "b": {"name": b.name, "revision": b.revision},
        "datasets": results,
        "not_in_both": sorted(set(a.datasets) ^ set(b.datasets)),
        "parameters": changed_parameters(a.params, b.params),
    }
    if arguments.json:
        print(json.dumps(round_floats(report), indent=2, ensure_ascii=False))
    else:
        print(text_of(report, markdown=arguments.md))
    if refused:
        raise UserError("; ".join(refused))


if __name__ == "__main__":
    run(main, "compare")

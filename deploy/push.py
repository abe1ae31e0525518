"""Push the trained and the exported model with their card to the Hugging Face hub, and check what the hub gives back.

Reads   models/sentiment/, models/exported/, metrics/evaluate.json, metrics/cross/; the token in HF_TOKEN or of
        hf auth login
Writes  USER/NAME on the hub, one commit: the model, its card with the accuracies, and onnx/ with the exported graph

    python -m deploy.push USER/NAME [--private]    (make push NAME=USER/NAME)
"""

import json
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sentiment.core.command import run
from sentiment.core.errors import UserError, reason
from sentiment.core.params import load_params

MODEL = Path("models/sentiment")
EXPORTED = Path("models/exported")
METRICS = Path("metrics")
GRAPHS = "onnx"
REVIEWS = [
    "A joy from the first page to the last 👍",
    "Two dull hours.<br /><br />So bad 👎🏽",
    "Nice caf\u00e9, but the waiter forgot us twice and the soup was cold.",
]
"""What both the local model and that on the hub read."""
TOLERANCE = 1e-4

WITHOUT_TORCH = """\
## Without torch
`onnx/model_quantized.onnx` holds the weights as 8-bit integers. With optimum-onnx:

```python
from optimum.onnxruntime import ORTModelForSequenceClassification
from transformers import AutoTokenizer, pipeline
graph = ORTModelForSequenceClassification.from_pretrained("{name}", subfolder="onnx", file_name="model_quantized.onnx")
classify = pipeline("text-classification", graph, tokenizer=AutoTokenizer.from_pretrained("{name}"))
classify("So bad 👎", truncation=True)
```

With transformers.js:

```js
import {{ pipeline }} from "@huggingface/transformers";
const config = await (await fetch("https://huggingface.co/{name}/resolve/main/onnx/config.json")).json();
const classify = await pipeline("text-classification", "{name}", {{ dtype: "q8", config }});
await classify("So bad 👎");
```

Both read only the beginning of a longer text.

"""

SCORE = """\
import json, sys
from transformers import pipeline
classify = pipeline("text-classification", sys.argv[1], trust_remote_code=True, device="cpu")
found = classify(json.load(sys.stdin), top_k=None)
print(json.dumps([{each["label"]: each["score"] for each in one}["positive"] for one in found]))
"""
"""What anybody may run; it runs apart from the project."""


def require_whole() -> None:
    """Raise UserError unless both models are there, and of one training."""
    for path in (MODEL / "README.md", EXPORTED / "README.md", METRICS / "evaluate.json"):
        if not path.is_file():
            raise UserError(f"{path} is missing: make run trains, exports and evaluates a model; push it then")
    if (MODEL / "provenance.json").read_bytes() != (EXPORTED / "provenance.json").read_bytes():
        raise UserError(f"{EXPORTED} was not made from {MODEL}: dvc repro export makes it anew")


def card(name: str) -> str:
    """Return the trained model's card as one of a repository of the hub, with the accuracies where the hub looks."""
    from huggingface_hub import EvalResult, ModelCard

    params = load_params()
    figures = {params.dataset: METRICS / "evaluate.json"}
    figures |= {data: METRICS / "cross" / f"{data}.json" for data in params.cross_datasets}
    text = (MODEL / "README.md").read_text(encoding="utf-8").replace(f'"{MODEL.as_posix()}"', f'"{name}"')
    text = text.replace("## Limits\n", f"{WITHOUT_TORCH.format(name=name)}## Limits\n", 1)
    described = ModelCard(text)
    described.data.model_name = name.partition("/")[2]
    described.data.eval_results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=data,
            dataset_name=data,
            dataset_split="test",
            metric_type=metric,
            metric_value=json.loads(path.read_text(encoding="utf-8"))[metric],
        )
        for data, path in figures.items()
        if path.is_file()
        for metric in ("accuracy", "f1")
    ]
    return str(described)


def gather(name: str, folder: Path) -> None:
    """Copy into a folder what the repository will hold."""
    shutil.copytree(MODEL, folder, dirs_exist_ok=True)
    shutil.copytree(EXPORTED / GRAPHS, folder / GRAPHS)
    shutil.copyfile(EXPORTED / "config.json", folder / GRAPHS / "config.json")
    shutil.copyfile(EXPORTED / "serving.json", folder / "serving.json")
    (folder / "README.md").write_text(card(name), encoding="utf-8", newline="\n")


def scores(model: Path) -> list[float]:
    """Return the scores of REVIEWS by the model of a folder, read by transformers in a process without the project."""
    command = [sys.executable, "-I", "-c", SCORE, str(model.resolve())]
    done = subprocess.run(command, input=json.dumps(REVIEWS), capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{model} can't be loaded by transformers alone: {done.stderr.strip().splitlines()[-1]}")
    found: list[float] = json.loads(done.stdout)
    return found


@contextmanager
def pushing(name: str) -> Iterator[None]:
    """Turn what goes wrong between here and the hub into a UserError; a token is never part of it."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    from sentiment.sources.hub_errors import brief

    hub = constants.ENDPOINT
    try:
        yield
    except HFValidationError as error:
        raise UserError(f"{name!r} is not a name that the hub allows: {reason(error)}") from None
    except OfflineModeIsEnabled:
        raise UserError("HF_HUB_OFFLINE forbids the network: unset it to push") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            raise UserError(
                f"{hub} does not know the token: make one that may write on {hub}/settings/tokens"
            ) from None
        if status in {403, 404}:
            raise UserError(
                f"{hub} has no user or organisation {name.partition('/')[0]}, or the token may not write there "
                f"(status {status}): correct the name, or make a token that may write on {hub}/settings/tokens"
            ) from None
        raise UserError(f"{name} could not be pushed, {brief(error)}: run the same command later") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError) as error:
        raise UserError(
            f"{name} could not be pushed to {hub}, {brief(error.__cause__ or error)}: check the network, HF_ENDPOINT "
            "and the proxy's settings, then run the same command again"
        ) from None


def require_token() -> None:
    """Raise UserError unless there is a token, and one that can be sent."""
    from huggingface_hub import get_token

    from sentiment.sources.hub_errors import require_sendable_token

    require_sendable_token()
    if not get_token():
        raise UserError("there is no token of the hub: set HF_TOKEN to one that may write, or run hf auth login")


def push(name: str, private: bool) -> str:
    """Push the models to the hub and return the commit."""
    from huggingface_hub import HfApi

    with TemporaryDirectory() as temporary, pushing(name):
        folder = Path(temporary)
        gather(name, folder)
        api = HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=name, folder_path=folder, commit_message="Push the trained model")
    return str(done.oid)


def require_same(name: str, commit: str) -> None:
    """Raise UserError unless the model that the hub gives back scores REVIEWS as the local one does."""
    from sentiment.sources.hub import open_repository

    repository = open_repository(name, "model", commit)
    files = [path for path in repository.files if not path.startswith(".")]
    pushed, local = scores(repository.fetch(files)["config.json"].parent), scores(MODEL)
    for review, there, here in zip(REVIEWS, pushed, local, strict=True):
        if abs(there - here) > TOLERANCE:
            raise UserError(
                f"{name} gives {review!r} the score {there:.4f}, the local model {here:.4f}: push again, with the "
                "versions of requirements.txt"
            )


def main() -> None:
    parser = ArgumentParser("push", description=__doc__)
    parser.add_argument("name", help="USER/NAME or ORGANISATION/NAME; made where it is not there")
    parser.add_argument("--private", action="store_true", help="only you can see a repository that is made")
    arguments = parser.parse_args()
    if arguments.name.count("/") != 1:
        raise UserError(f"{arguments.name!r} is no repository: give USER/NAME, the user being you or an organisation")
    require_whole()
    require_token()
    commit = push(arguments.name, arguments.private)
    require_same(arguments.name, commit)

    from huggingface_hub import constants

    print(f"{constants.ENDPOINT}/{arguments.name} is at {commit[:8]}, and scores reviews as {MODEL} does")


if __name__ == "__main__":
    run(main, "push", network=True)

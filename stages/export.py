"""Turn the fine-tuned model into what serving needs: an ONNX graph of 8-bit integers and all that belongs to it.

Reads   models/sentiment/, data/tokenized/validation.parquet, data/tokenized/test.parquet
Writes  models/exported/       onnx/model_quantized.onnx, config.json, tokenizer.json, tokenizer_config.json, as the
                               hub's loaders of such graphs expect them; serving.json (labels, special tokens),
                               preprocessing.json, decision.json, provenance.json, README.md;
                               sentiment/serving/predictor.py loads them without torch
        metrics/export.json    accuracy of both models on the test reviews, their agreement, the sizes of their graphs

It fails when the exported model is not faithful to the original one, and warns where too few test reviews leave that
open: see `export` in params.yaml.

    python -m stages.export
"""

import shutil
from pathlib import Path

from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import replacing, write_json
from sentiment.core.labels import LABELS
from sentiment.core.params import PREPROCESSING, load_params, load_preprocessing
from sentiment.core.parquet import read_parquet
from sentiment.model import decision, length_drift
from sentiment.model.reproducible import fix_bits
from sentiment.serving.predictor import GRAPH, SERVING, TOKENIZER, Predictor, Serving

MODEL = Path("models/sentiment")
VALIDATION = Path("data/tokenized/validation.parquet")
TEST = Path("data/tokenized/test.parquet")
EXPORTED = Path("models/exported")
METRICS = Path("metrics/export.json")
CHUNK = 64
OBSERVED = 128
"""How many validation reviews show how large the values within the model become."""


def write_companions(model: Path, folder: Path) -> None:
    """Write what a trained model's graph needs beside it: configuration, tokenizer, labels, and what it goes by."""
    from sentiment.model.loading import plain_config
    from sentiment.text.encoding import Encoder, load_tokenizer

    plain_config(model).save_pretrained(folder)
    preprocessing = load_preprocessing(model)
    encode = Encoder(load_tokenizer(model), preprocessing.tokenize, preprocessing.emoji).bare()
    serving = Serving(labels=list(LABELS.values()), special_tokens=encode.special)
    write_json(folder / SERVING, serving.model_dump())
    further = (PREPROCESSING, decision.FILE, length_drift.FILE, "provenance.json")
    for name in (TOKENIZER, "tokenizer_config.json", *further):
        if (model / name).exists():
            shutil.copyfile(model / name, folder / name)
    (folder / GRAPH).parent.mkdir()


def main() -> None:
    params = load_params()
    reviews = read_parquet(TEST, ["label", "input_ids"])
    observed = read_parquet(VALIDATION, ["input_ids"])["input_ids"][:OBSERVED].to_pylist()

    import numpy as np
    from tqdm import tqdm

    from sentiment.metrics import scores_of
    from sentiment.model.loading import load
    from sentiment.model.model_card import exported_card
    from sentiment.model.prediction import predict
    from sentiment.serving.faithfulness import find_fault
    from sentiment.serving.graph import to_onnx
    from sentiment.serving.quantization import attention_products, largest_values, quantize
    from sentiment.text.encoding import Padding, load_tokenizer

    fix_bits(params)
    padding = Padding.of(load_tokenizer(MODEL))
    model = load(MODEL)
    sequences, labels = reviews["input_ids"].to_pylist(), reviews["label"].to_numpy()
    logits = predict(model, sequences, padding, batch_size=params.evaluate.batch_size, precision="fp32")
    if drift := length_drift.load_length_drift(MODEL):
        logits = drift.correct(logits, [len(ids) for ids in sequences])
    positive = decision.load_decision(MODEL).positive
    original = positive(scores_of(logits))
    graph = to_onnx(model, padding.side)
    largest = largest_values(graph, tqdm(observed, desc="observe", delay=1), params.threads)

    def compare(folder: Path) -> dict[str, float]:
        predictor = Predictor(folder, params.threads)
        chunks = [sequences[start : start + CHUNK] for start in range(0, len(sequences), CHUNK)]
        scores = np.concatenate([predictor.score(chunk) for chunk in tqdm(chunks, desc="compare", delay=1)])
        verdicts = positive(scores)
        return {
            "accuracy_fp32": float((original == labels).mean()),
            "accuracy_int8": float((verdicts == labels).mean()),
            "agreement": float((verdicts == original).mean()),
            "bytes_fp32": graph.ByteSize(),
            "bytes_int8": (folder / GRAPH).stat().st_size,
            "n": len(labels),
        }

    with replacing(EXPORTED) as folder:
        folder.mkdir()
        write_companions(MODEL, folder)
        # The smallest and fastest that is faithful.
        for kept in (set[str](), attention_products(graph)):
            quantize(graph, folder / GRAPH, largest, kept)
            figures = compare(folder)
            fault = find_fault(figures, params.export)
            if fault is None:
                break
        if fault and fault.certain:
            raise UserError(f"{fault.sentence}: train with another seed or longer, or change the limit")
        card = exported_card((MODEL / "README.md").read_text(encoding="utf-8"), figures)
        (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")
    write_json(METRICS, figures)
    if fault:
        print(f"warning: {fault.sentence}; so few test reviews can't tell that from chance")
    print(", ".join(f"{name} {round(value, 3):,}" for name, value in figures.items()))


if __name__ == "__main__":
    run(main, "export")

"""Shared by all tests: a tokenizer and an encoder small enough to build in a moment, and reviews that they can tell."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import settings

from sentiment.core.openmp import wait_briefly
from sentiment.core.params import Cleaning, Params, Preprocessing, Spelling, load_params
from tests.heads import fit_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from sentiment.text.encoding import Padding

os.environ["HF_HUB_OFFLINE"] = "1"
wait_briefly()
# The same examples in every run, and none that a busy machine fails.
settings.register_profile("project", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("project")

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _offline() -> Iterator[None]:
    """Fail a test that leaves this process with another hub or cache than it had: what runs later would use them."""
    from huggingface_hub import constants

    before = (constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE, constants.ENDPOINT)
    yield
    assert before == (constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE, constants.ENDPOINT)


GOOD = ["good", "great", "superb", "lovely", "fine", "brilliant"]
BAD = ["bad", "awful", "boring", "dull", "poor", "terrible"]
NEUTRAL = ["the", "film", "was", "a", "plot", "and", "its", "cast", "book", "very"]


def build_tokenizer(**options: Any) -> "PreTrainedTokenizerFast":
    """Return a lower-casing WordPiece tokenizer, as BERT's, that knows a few words and splits others into letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    pieces += GOOD + BAD + [word for word in NEUTRAL if word not in letters]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names | options)


@pytest.fixture(scope="session")
def tokenizer() -> "PreTrainedTokenizerFast":
    return build_tokenizer()


@pytest.fixture(scope="session")
def tokenizer_with() -> Callable[..., "PreTrainedTokenizerFast"]:
    """Build the same tokenizer with other options, as in `tokenizer_with(pad_token=None)`."""
    return build_tokenizer


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `download` leaves it: a random two-layer BERT, its tokenizer and origin.json."""
    import torch
    from transformers import BertConfig, BertModel

    from sentiment.core.files import sha256, write_json

    folder = tmp_path_factory.mktemp("models") / "pretrained"
    tokenizer = build_tokenizer()
    # On busy cores a second thread slows a tiny model down.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(
        folder / "origin.json",
        {
            "model": "tiny",
            "licence": "CC0-1.0",
            "origin": "made up at random",
            "revision": "none",
            "files": {"model.safetensors": sha256(folder / "model.safetensors")},
        },
    )
    return folder


@pytest.fixture(scope="session")
def params_with() -> Callable[..., Params]:
    """Change some values of params.yaml, as in `params_with(seed=1, train={"lr": 1e-3})`."""

    def change(**changes: Any) -> Params:
        content = load_params(ROOT / "params.yaml").model_dump()
        for key, value in changes.items():
            content[key] = content[key] | value if isinstance(value, dict) else value
        return Params.model_validate(content)

    return change


@pytest.fixture(scope="session")
def cleaning() -> Cleaning:
    return Cleaning(html_breaks=True)


@pytest.fixture(scope="session")
def toy_reviews() -> pa.Table:
    """64 reviews of unlike length; every other one differs from the one before in its last word and its label."""
    texts = []
    for pair in range(32):
        words = [NEUTRAL[(pair * step) % len(NEUTRAL)] for step in range(1, 3 + pair % 9)]
        texts += [" ".join([*words, tells[pair % 6]]) for tells in (BAD, GOOD)]
    return pa.table({"text": texts, "label": pa.array([0, 1] * 32, pa.int8())})


@pytest.fixture(scope="session")
def encoded(
    toy_reviews: pa.Table, tokenizer: "PreTrainedTokenizerFast", params_with: Callable[..., Params]
) -> pa.Table:
    """The toy reviews as `tokenize` leaves them, without their ids."""
    from sentiment.text.encoding import Encoder

    encode = Encoder(tokenizer, params_with(tokenize={"max_length": 64}).tokenize)
    ids = [review.input_ids for review in encode(toy_reviews["text"].to_pylist())]
    return pa.table({"input_ids": pa.array(ids, pa.list_(pa.int32())), "label": toy_reviews["label"]})


@pytest.fixture(scope="session")
def padding(tokenizer: "PreTrainedTokenizerFast") -> "Padding":
    from sentiment.text.encoding import Padding

    return Padding.of(tokenizer)


@pytest.fixture(scope="session")
def build_with(
    pretrained: Path, tokenizer: "PreTrainedTokenizerFast", params_with: Callable[..., Params]
) -> "Callable[..., PreTrainedModel]":
    """Build a classifier with some of train's parameters changed, as in `build_with(pooling="first")`."""
    import torch

    from sentiment.training.build import build

    def make(folder: Path = pretrained, **train: Any) -> "PreTrainedModel":
        torch.manual_seed(1)
        return build(folder, tokenizer, params_with(train=train).train)

    return make


@pytest.fixture(scope="session")
def trained_once(
    build_with: "Callable[..., PreTrainedModel]",
    pretrained: Path,
    encoded: pa.Table,
    padding: "Padding",
    params_with: Callable[..., Params],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder as `train` leaves it, which no test changes; the model tells the toy reviews apart."""
    from sentiment.core.files import write_json
    from sentiment.model.loading import save
    from sentiment.text.encoding import load_tokenizer

    model = build_with(pooling="mean")
    fit_head(model, encoded, padding)
    folder = tmp_path_factory.mktemp("models") / "sentiment"
    params = params_with(tokenize={"max_length": 64})
    preprocessing = Preprocessing(
        cleaning=params.subsample.cleaning,
        emoji={"👍": "good", "👎": "bad"},
        tokenize=params.tokenize,
        spelling=Spelling(tokens_per_word=1, unknown_share=0),
    )
    save(model, load_tokenizer(pretrained), preprocessing, folder)
    write_json(folder / "provenance.json", {})
    (folder / "README.md").write_text("library_name: transformers\n\n## Use\nWith torch.\n\n## Limits\nMany.\n")
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it for a test to change."""
    return shutil.copytree(trained_once, tmp_path_factory.mktemp("trained") / "sentiment")


def export_model(model: "PreTrainedModel", trained: Path, folder: Path, encoded: pa.Table, padding: "Padding") -> Path:
    """Export a model into a folder as `export` does, with the companions of the trained one's folder."""
    from sentiment.serving.graph import to_onnx
    from sentiment.serving.predictor import GRAPH
    from sentiment.serving.quantization import largest_values, quantize
    from stages.export import write_companions

    folder.mkdir()
    write_companions(trained, folder)
    graph = to_onnx(model, padding.side)
    quantize(graph, folder / GRAPH, largest_values(graph, encoded["input_ids"].to_pylist(), threads=1))
    return folder


@pytest.fixture(scope="session")
def exported(trained_once: Path, encoded: pa.Table, padding: "Padding") -> Path:
    """A folder as `export` leaves it, which no test changes."""
    from sentiment.model.loading import load

    return export_model(load(trained_once), trained_once, trained_once.parent / "exported", encoded, padding)

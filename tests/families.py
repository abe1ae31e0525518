"""Tiny random models of the real architectures, each with its family's tokenizer: the real one, or one built here."""

import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sentiment.sources.catalog import load_catalog
from tests.conftest import BAD, GOOD, NEUTRAL, ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

REAL_TOKENIZERS = Path(os.environ.get("REAL_TOKENIZERS", ROOT.parent / "shared" / "tokenizers"))
POSITIONS = 64
SENTENCES = [
    " ".join([*NEUTRAL[start:], *(GOOD + BAD)[start : start + 6], "it's … 😀"]) for start in range(7) for _ in range(20)
]


@dataclass(frozen=True)
class Family:
    """A family of the catalog: one of its models, the class of that model's weights, and its tokenizer's class."""

    model: str
    model_type: str
    weights: str
    tokenizer: str
    sizes: dict[str, Any]

    def __str__(self) -> str:
        return self.model_type

    def write(self, folder: Path, *, real: bool) -> None:
        """Write a model's files as `download` leaves them: config.json, model.safetensors, the tokenizer's files."""
        import torch
        import transformers

        folder.mkdir()
        config = self.config(real=real)
        torch.manual_seed(0)
        getattr(transformers, self.weights)(config).save_pretrained(folder)
        if real:
            entry = load_catalog(ROOT / "catalog.yaml").model(self.model.partition("/")[2])
            for name in set(entry.files) - {"config.json", "model.safetensors", "pytorch_model.bin"}:
                shutil.copyfile(real_folder(self.model) / name, folder / name)
        else:
            TINY[self.tokenizer](folder, self.tokenizer)

    def config(self, *, real: bool) -> "PreTrainedConfig":
        """Return the real configuration, or the architecture's default one, cut to two small layers."""
        from transformers import AutoConfig

        content = {"model_type": self.model_type}
        if real:
            content = json.loads((real_folder(self.model) / "config.json").read_text(encoding="utf-8"))
        return AutoConfig.for_model(**content | {"initializer_range": 0.05} | self.sizes)


def real_folder(model: str) -> Path:
    """Return the folder with a model's real configuration and tokenizer; skip where there is none, but not in CI."""
    folder = REAL_TOKENIZERS / model.replace("/", "__")
    if not folder.is_dir():
        assert os.environ.get("CI") != "true", f"{folder} is missing"
        pytest.skip(f"{folder} is not on this machine")
    return folder


def _word_pieces(folder: Path, name: str) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(special_tokens=special, show_progress=False))
    _save(folder, name, vocab=backend.get_vocab())


def _byte_pairs(folder: Path, name: str) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = {
        "RobertaTokenizer": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        "GPT2Tokenizer": ["<|endoftext|>"],
        "TokenizersBackend": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    }[name]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(SENTENCES, trainer)
    if name == "TokenizersBackend":
        from tokenizers import processors

        backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        tokens = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        _save(folder, name, tokenizer_object=backend, **tokens)
    else:
        model = json.loads(backend.to_str())["model"]
        _save(folder, name, vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


def _sentence_pieces(folder: Path, name: str) -> None:
    import sentencepiece

    tokens = {
        "XLNetTokenizer": {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "pad": "<pad>"},
        "AlbertTokenizer": {"pad": "<pad>", "unk": "<unk>", "bos": "[CLS]", "eos": "[SEP]"},
        "DebertaV2Tokenizer": {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]"},
    }[name]
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=written,
        model_type="unigram",
        vocab_size=400,
        hard_vocab_limit=False,
        byte_fallback=name == "DebertaV2Tokenizer",
        control_symbols={"XLNetTokenizer": ["<cls>", "<sep>", "<mask>"], "AlbertTokenizer": ["[MASK]"]}.get(name, []),
        minloglevel=2,
        **{f"{token}_id": number for number, token in enumerate(tokens)},
        **{f"{token}_piece": piece for token, piece in tokens.items()},
    )
    file = "spm.model" if name == "DebertaV2Tokenizer" else "spiece.model"
    (folder / file).write_bytes(written.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}), encoding="utf-8")


def _save(folder: Path, name: str, **options: Any) -> None:
    import transformers

    getattr(transformers, name)(**options).save_pretrained(folder)


TINY = {
    "BertTokenizer": _word_pieces,
    "RobertaTokenizer": _byte_pairs,
    "GPT2Tokenizer": _byte_pairs,
    "TokenizersBackend": _byte_pairs,
    "XLNetTokenizer": _sentence_pieces,
    "AlbertTokenizer": _sentence_pieces,
    "DebertaV2Tokenizer": _sentence_pieces,
}

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
LIMIT = {"max_position_embeddings": POSITIONS}
SMALL_EMBEDDINGS = {"embedding_size": 16}

FAMILIES = [
    Family("google-bert/bert-base-uncased", "bert", "BertForPreTraining", "BertTokenizer", SIZES | LIMIT),
    Family(
        "distilbert/distilbert-base-uncased",
        "distilbert",
        "DistilBertForMaskedLM",
        "BertTokenizer",
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 32} | LIMIT,
    ),
    Family(
        "FacebookAI/roberta-base",
        "roberta",
        "RobertaForMaskedLM",
        "RobertaTokenizer",
        # The places up to the padding token's are taken by none.
        SIZES | {"max_position_embeddings": POSITIONS + 2, "pad_token_id": 1},
    ),
    Family(
        "openai-community/gpt2",
        "gpt2",
        "GPT2LMHeadModel",
        "GPT2Tokenizer",
        {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS},
    ),
    Family(
        "google/electra-small-discriminator",
        "electra",
        "ElectraForPreTraining",
        "BertTokenizer",
        SIZES | LIMIT | SMALL_EMBEDDINGS,
    ),
    Family(
        "xlnet/xlnet-base-cased",
        "xlnet",
        "XLNetLMHeadModel",
        "XLNetTokenizer",
        {"d_model": 32, "n_layer": 2, "n_head": 2, "d_head": 16, "d_inner": 32},
    ),
    Family("albert/albert-base-v2", "albert", "AlbertForMaskedLM", "AlbertTokenizer", SIZES | LIMIT | SMALL_EMBEDDINGS),
    Family(
        "microsoft/deberta-v3-small",
        "deberta-v2",
        "DebertaV2ForMaskedLM",
        "DebertaV2Tokenizer",
        SIZES
        | LIMIT
        | {
            "pooler_hidden_size": 32,
            "relative_attention": True,
            "norm_rel_ebd": "layer_norm",
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
        },
    ),
    Family(
        "answerdotai/ModernBERT-base",
        "modernbert",
        "ModernBertForMaskedLM",
        "TokenizersBackend",
        SIZES | LIMIT | {"layer_types": None},
    ),
]

"""From text to token ids, and from token ids to batches.

Tokenizer families differ in their special tokens, padding side and maximum length; all of it is handled here.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.core.errors import UserError, loading
from sentiment.core.params import Tokenize
from sentiment.core.schemas import Strict
from sentiment.text.emoji import EmojiNames, unknown_emoji
from sentiment.text.normalization import without_normalization
from sentiment.text.spelling import Spelled, count_words

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000


def load_tokenizer(folder: Path | str) -> "PreTrainedTokenizerBase":
    """Load a tokenizer from a local folder, fitted to the model beside it; raise UserError when the folder holds none.

    Its model_max_length is what that model can take; it pads on the side that the model's classifier needs. What texts
    go through before they are tokenized is left to the caller, though a trained model's tokenizer can do it by itself.
    """
    from transformers import AutoTokenizer, DebertaV2Tokenizer

    folder = Path(folder)
    with loading(folder, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        if isinstance(tokenizer, DebertaV2Tokenizer):
            tokenizer = _as_pretrained(tokenizer, folder)
    if tokenizer.is_fast:
        without_normalization(tokenizer.backend_tokenizer)
    if tokenizer.pad_token is None:
        # GPT-2 has none. Padding is masked, so any token that no text holds will do.
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise UserError(
            f"{folder} holds a tokenizer with neither a padding nor an end token: name its pad_token in "
            "tokenizer_config.json"
        )
    if (folder / "config.json").is_file():
        with loading(folder, "configuration"):
            _fit(tokenizer, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    return tokenizer


def _as_pretrained(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> "PreTrainedTokenizerBase":
    """Return a DeBERTa tokenizer with the normalization and the byte pieces that the model was pretrained with.

    transformers builds it without either, so that "…", full-width letters and emoji become unknown. The result is a
    fast tokenizer of no family, which is saved and loaded as it is.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import SentencePieceExtractor

    if (folder / "spm.model").is_file():
        pretrained = SentencePieceExtractor(str(folder / "spm.model")).proto
        pieces = [(piece.piece, piece.score) for piece in pretrained.pieces]
        backend = tokenizer.backend_tokenizer
        backend.model = models.Unigram(pieces, pretrained.trainer_spec.unk_id, pretrained.trainer_spec.byte_fallback)
        backend.normalizer = normalizers.Sequence(
            [
                normalizers.Precompiled(pretrained.normalizer_spec.precompiled_charsmap),
                normalizers.Replace(Regex("^ +| +$"), ""),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        )
    else:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=tokenizer.model_max_length, **tokenizer.special_tokens_map
    )


def _fit(tokenizer: "PreTrainedTokenizerBase", config: dict[str, Any]) -> None:
    """Limit the tokenizer to the positions of the model with this configuration, and set the side that it pads on."""
    import torch
    from transformers import AutoConfig, AutoModel

    encoder = AutoConfig.for_model(**config.get("encoder", config))
    # Only XLNet's classifier reads the last position, so only it needs the padding before the text. Other tokenizers
    # that pad there do so to generate text; absolute positions would then depend on the padding.
    tokenizer.padding_side = "left" if encoder.model_type == "xlnet" else "right"
    positions = getattr(encoder, "max_position_embeddings", None) or -1
    if positions < 0:
        return  # they are relative: there is no limit
    with torch.device("meta"):
        modules = AutoModel.from_config(encoder).named_modules()
    # RoBERTa and its kin reserve the positions up to the padding token's id, and start to count after them.
    padding = [getattr(module, "padding_idx", None) for name, module in modules if name.endswith("position_embeddings")]
    kept = padding[0] + 1 if padding and padding[0] is not None else 0
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions - kept)


@dataclass(frozen=True)
class Encoder:
    """Encode reviews as token ids, cut to `max_length` as the parameters say, special tokens in their places.

    Emoji are written as their names first: those of `emoji` or, where it is None, all that the tokenizer can't spell.
    """

    tokenizer: "PreTrainedTokenizerBase"
    params: Tokenize
    emoji: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        limit = self.tokenizer.model_max_length
        if self.params.max_length > limit:
            raise UserError(
                f"params.yaml: tokenize.max_length is {self.params.max_length}, "
                f"but the model takes at most {limit} tokens: lower it"
            )

    def __call__(self, texts: Iterable[str]) -> Iterator["Encoded"]:
        """Yield each review's encoding, a chunk at a time so that memory stays bounded."""
        if self.tokenizer.is_fast:
            return self.bare()(texts)
        return _encode(texts, self._slow_ids, self.emoji_names, self.special_tokens(), self.params)

    @cached_property
    def emoji_names(self) -> EmojiNames:
        return EmojiNames(unknown_emoji(self.tokenizer) if self.emoji is None else self.emoji)

    def bare(self) -> "BareEncoder":
        """Return the same encoder without transformers; it takes a fast tokenizer, and leaves that as it is."""
        from tokenizers import Tokenizer

        backend = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        return BareEncoder(backend, self.special_tokens(), self.params, self.emoji_names)

    def _slow_ids(self, texts: list[str]) -> list[list[int]]:
        """Return each text's ids, whole and without special tokens; one that says "[SEP]" means the letters."""
        encoding = self.tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)
        return encoding["input_ids"]

    def special_tokens(self) -> "SpecialTokens":
        content = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = self.tokenizer("a")["input_ids"]
        start = next(i for i in range(len(whole)) if whole[i : i + len(content)] == content)
        return SpecialTokens(
            before=whole[:start],
            after=whole[start + len(content) :],
            reserved=sorted(set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}),
            unknown=self.tokenizer.unk_token_id,
            padding=self.tokenizer.pad_token_id,
        )


class SpecialTokens(Strict):
    """The ids of a tokenizer's special tokens.

    `before` and `after` enclose every text, `reserved` never stand for text, `padding` fills up shorter rows.
    """

    before: list[int]
    after: list[int]
    reserved: list[int]
    unknown: int | None
    padding: int

    def room(self, params: Tokenize) -> int:
        """Return how many ids of a text there is room for between them."""
        return params.max_length - len(self.before) - len(self.after)


@dataclass(frozen=True)
class BareEncoder:
    """An encoder that needs neither transformers nor torch, for training and serving alike. Threads may share it."""

    tokenizer: "Tokenizer"
    special: SpecialTokens
    params: Tokenize
    emoji_names: EmojiNames

    def __post_init__(self) -> None:
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        # A review that says "[SEP]" means the letters, not the token.
        self.tokenizer.encode_special_tokens = True

    def __reduce__(self) -> tuple[Any, ...]:
        """Build a copy in another process as this one was built: a tokenizer that is pickled forgets the above."""
        return BareEncoder, (self.tokenizer, self.special, self.params, self.emoji_names)

    def __call__(self, texts: Iterable[str]) -> Iterator["Encoded"]:
        """Yield each review's encoding, a chunk at a time so that memory stays bounded."""
        return _encode(texts, self.ids, self.emoji_names, self.special, self.params)

    def ids(self, texts: list[str]) -> list[list[int]]:
        """Return each text's ids, whole and without special tokens."""
        # Without offsets and masks, which would take a third of the time.
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def _encode(
    texts: Iterable[str],
    ids_of: Callable[[list[str]], list[list[int]]],
    emoji_names: EmojiNames,
    special: SpecialTokens,
    params: Tokenize,
) -> Iterator["Encoded"]:
    room = special.room(params)
    reserved = set(special.reserved)
    remaining = map(emoji_names, texts)
    while chunk := list(islice(remaining, CHUNK)):
        for text, found in zip(chunk, ids_of(chunk), strict=True):
            # SentencePiece vocabularies hold the special tokens' names as pieces, which a text can spell.
            ids = found if reserved.isdisjoint(found) else [token for token in found if token not in reserved]
            unknown = 0 if special.unknown is None else ids.count(special.unknown)
            # GPT-2 encodes an empty text as no ids at all, which no model can read.
            input_ids = [*special.before, *truncate(ids, room, params), *special.after] or [special.padding]
            tokens = len(special.before) + len(ids) + len(special.after)
            yield Encoded(input_ids, tokens, Spelled(count_words(text), len(ids), unknown))


@dataclass(frozen=True)
class Encoded:
    """A review's kept ids, its number of tokens before truncation, special ones included, and how it is spelled."""

    input_ids: list[int]
    tokens: int
    spelled: Spelled

    @property
    def unknown(self) -> int:
        return self.spelled.unknown


def truncate(ids: list[int], room: int, params: Tokenize) -> list[int]:
    """Cut a review's ids to `room`, head_share of which is for its beginning and the rest for its end."""
    if len(ids) <= room:
        return ids
    head = head_of(room, params)
    return ids[:head] + ids[len(ids) - room + head :]


def head_of(room: int, params: Tokenize) -> int:
    """Return how many of the `room` ids that a longer review keeps come from its beginning."""
    return round(room * params.head_share)


@dataclass(frozen=True)
class Padding:
    """Collate rows of `input_ids` (and `labels`) into tensors [batch, longest row], padded on the tokenizer's side."""

    token: int
    side: str

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerBase") -> "Padding":
        return cls(tokenizer.pad_token_id, tokenizer.padding_side)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, "torch.Tensor"]:
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        ids = np.full((len(rows), width), self.token, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            length = len(row["input_ids"])
            place = slice(width - length, width) if self.side == "left" else slice(0, length)
            ids[i, place] = row["input_ids"]
            mask[i, place] = 1
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return batch

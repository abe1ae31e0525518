"""From text to token ids, and from token ids to batches.

Tokenizer families differ in their special tokens, padding side and maximum length; all of it is handled here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.errors import UserError, readable
from sentiment.params import Tokenize

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHUNK = 1000
NO_LIMIT = 1_000_000
"""Tokenizers without a maximum length announce 1e30; a real maximum is below this."""


def load_tokenizer(folder: Path | str) -> "PreTrainedTokenizerBase":
    """Load a tokenizer from a local folder; raise UserError when the folder holds none."""
    from transformers import AutoTokenizer

    with readable(folder, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    if tokenizer.pad_token is None:
        # GPT-2 has none; what stands in for it is masked, so any token does.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@dataclass(frozen=True)
class Encoder:
    """Encode reviews as token ids, cut to `max_length` as the parameters say, special tokens in their places."""

    tokenizer: "PreTrainedTokenizerBase"
    params: Tokenize

    def __post_init__(self) -> None:
        limit = self.tokenizer.model_max_length
        if limit < NO_LIMIT and self.params.max_length > limit:
            raise UserError(
                f"params.yaml: tokenize.max_length is {self.params.max_length}, "
                f"but the model takes at most {limit} tokens: lower it"
            )

    def __call__(self, texts: Sequence[str]) -> Iterator["Encoded"]:
        """Yield each review's encoding, a chunk at a time so that memory stays bounded."""
        before, after = self._special_tokens()
        room = self.params.max_length - len(before) - len(after)
        remaining = iter(texts)
        while chunk := list(islice(remaining, CHUNK)):
            # split_special_tokens: a review that says "[SEP]" means the letters, not the token.
            encoding = self.tokenizer(chunk, add_special_tokens=False, split_special_tokens=True, verbose=False)
            for ids in encoding["input_ids"]:
                kept = truncate(ids, room, self.params)
                unknown = ids.count(self.tokenizer.unk_token_id)
                yield Encoded([*before, *kept, *after], len(before) + len(ids) + len(after), unknown)

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """Return the ids that the tokenizer puts before and after a text."""
        content = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = self.tokenizer("a")["input_ids"]
        start = next(i for i in range(len(whole)) if whole[i : i + len(content)] == content)
        return whole[:start], whole[start + len(content) :]


@dataclass(frozen=True)
class Encoded:
    """A review's kept ids, its number of tokens before truncation, and how many of those are unknown."""

    input_ids: list[int]
    tokens: int
    unknown: int


def truncate(ids: list[int], room: int, params: Tokenize) -> list[int]:
    """Cut a review's ids to `room`, keeping its head, its tail, or both (head_share of the room for the head)."""
    if len(ids) <= room:
        return ids
    head = {"head": room, "tail": 0, "head_tail": round(room * params.head_share)}[params.truncation]
    tail = room - head
    return ids[:head] + ids[len(ids) - tail :]


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

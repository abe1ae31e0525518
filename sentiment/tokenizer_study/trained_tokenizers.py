"""Tokenizers of every algorithm, learnt from reviews: what differs between them is the algorithm alone.

All lower-case the text and put BERT's special tokens around it. Trained twice on the same texts, each comes out the
same, whatever the process and the number of threads.
"""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL = [PAD, UNKNOWN, START, END]
BYTES_SPECIAL = [PAD, START, END]
"""No text is unknown to a tokenizer of bytes."""


def learn(algorithm: str, texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Return a tokenizer of one of ALGORITHMS, learnt from the texts, with at most `size` entries (500 or more).

    Those of characters and of bytes have as many entries as there are of these. Characters that are not among the
    `size` / 4 most frequent are unknown, except to the algorithms on bytes.
    """
    normalizer = _normalizer()
    normalized = [normalizer.normalize_str(text) for text in texts]
    return ALGORITHMS[algorithm](normalized, size)


def word_piece(texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Merge characters into pieces of words as BPE does; then cut a word into the longest pieces from its start."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    letters = [character for character in _alphabet(texts, size) if character != " "]
    words = pre_tokenizers.BertPreTokenizer()
    backend = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    backend.pre_tokenizer = words
    # The trainer numbers the characters within words in the order of a hash table, which differs from process to
    # process, and breaks ties by number; named as special tokens, they come first and in this order.
    fixed = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=fixed, show_progress=False)
    backend.train_from_iterator(_blank_others(texts, letters), trainer)
    return _wrap(models.WordPiece(backend.get_vocab(), unk_token=UNKNOWN), words)


def byte_pairs(texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Merge the most frequent pair of neighbouring pieces, starting at characters, until the vocabulary is full."""
    from tokenizers import models, pre_tokenizers, trainers

    letters = [character for character in _alphabet(texts, size) if character != " "]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False)
    model = models.BPE(unk_token=UNKNOWN)
    return _train(model, pre_tokenizers.BertPreTokenizer(), trainer, _blank_others(texts, letters))


def byte_level_pairs(texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Merge as `byte_pairs` does, starting at the 256 bytes, with the blank as a part of the word after it."""
    from tokenizers import models, pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=BYTES_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    return _train(models.BPE(), pre_tokenizers.ByteLevel(add_prefix_space=True), trainer, texts)


def unigram(texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Start at many pieces and drop those that matter least to the texts' likelihood; then cut as is most likely.

    SentencePiece trains it, on one thread: the trainer of `tokenizers` adds up in another order in each process.
    """
    import sentencepiece
    from tokenizers import models, pre_tokenizers

    letters = _alphabet(texts, size)
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_blank_others(texts, letters)),
        model_writer=written,
        model_type="unigram",
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=2**30,
        num_threads=1,
        minloglevel=2,
        pad_id=SPECIAL.index(PAD),
        unk_id=SPECIAL.index(UNKNOWN),
        bos_id=SPECIAL.index(START),
        eos_id=SPECIAL.index(END),
        pad_piece=PAD,
        unk_piece=UNKNOWN,
        bos_piece=START,
        eos_piece=END,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [(trained.id_to_piece(place), trained.get_score(place)) for place in range(len(trained))]
    return _wrap(models.Unigram(pieces, SPECIAL.index(UNKNOWN), byte_fallback=False), pre_tokenizers.Metaspace())


def words(texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Keep the most frequent words and punctuation marks; all others are unknown."""
    from tokenizers import models, pre_tokenizers, trainers

    trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False)
    return _train(models.WordLevel(unk_token=UNKNOWN), pre_tokenizers.BertPreTokenizer(), trainer, texts)


def characters(texts: Sequence[str], size: int) -> "PreTrainedTokenizerFast":
    """Take every character for a token, the blank (written as U+2581) too."""
    from tokenizers import Regex, models, normalizers, pre_tokenizers

    letters = ["▁" if character == " " else character for character in _alphabet(texts, size)]
    model = models.WordLevel({piece: place for place, piece in enumerate([*SPECIAL, *letters])}, unk_token=UNKNOWN)
    blank = normalizers.Sequence([_normalizer(), normalizers.Replace(" ", "▁")])
    return _wrap(model, pre_tokenizers.Split(Regex("."), "isolated"), blank)


def single_bytes(_texts: Sequence[str], _size: int) -> "PreTrainedTokenizerFast":
    """Take every byte of the text in UTF-8 for a token."""
    from tokenizers import models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    model = models.BPE({piece: place for place, piece in enumerate([*BYTES_SPECIAL, *alphabet])}, [])
    return _wrap(model, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))


ALGORITHMS: "dict[str, Callable[[Sequence[str], int], PreTrainedTokenizerFast]]" = {
    "WordPiece": word_piece,
    "BPE": byte_pairs,
    "byte-level BPE": byte_level_pairs,
    "Unigram": unigram,
    "words": words,
    "characters": characters,
    "bytes": single_bytes,
}


def _normalizer() -> "normalizers.Normalizer":
    from tokenizers import Regex, normalizers

    return normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")])


def _alphabet(texts: Sequence[str], size: int) -> list[str]:
    """Return the texts' characters, sorted: at most a quarter of `size`, the most frequent."""
    counts = Counter(character for text in texts for character in text)
    return sorted(sorted(counts, key=lambda character: (-counts[character], character))[: size // 4])


def _blank_others(texts: Sequence[str], letters: Sequence[str]) -> list[str]:
    """Return the texts with a blank for every character that is none of the letters."""
    others = {ord(character): " " for character in set().union(*texts) - set(letters)}
    return [text.translate(others) for text in texts]


def _train(
    model: "models.Model", cutter: "pre_tokenizers.PreTokenizer", trainer: "trainers.Trainer", texts: Sequence[str]
) -> "PreTrainedTokenizerFast":
    from tokenizers import Tokenizer

    backend = Tokenizer(model)
    backend.pre_tokenizer = cutter
    backend.train_from_iterator(texts, trainer)
    return _wrap(backend.model, cutter)


def _wrap(
    model: "models.Model", cutter: "pre_tokenizers.PreTokenizer", normalizer: "normalizers.Normalizer | None" = None
) -> "PreTrainedTokenizerFast":
    """Return a tokenizer as transformers has them, [CLS] and [SEP] around each text."""
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(model)
    backend.normalizer = normalizer or _normalizer()
    backend.pre_tokenizer = cutter
    numbers = backend.get_vocab()
    backend.post_processor = processors.BertProcessing((END, numbers[END]), (START, numbers[START]))
    names = {"pad_token": PAD, "cls_token": START, "sep_token": END}
    if UNKNOWN in numbers:
        names["unk_token"] = UNKNOWN
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)

"""Which reviews leak between training and evaluation: exact, contained and near duplicates.

exact      the same letters and digits; case, blanks and punctuation differ between copies of a dataset
contained  the letters and digits of one, MIN_LETTERS or more, occur in a row in the other, as those of a sentence do in
           the review that it was taken from
near       the Jaccard similarity of their word pairs (of those that either has, the share that both have) reaches the
           threshold

Candidates come from indexes, and each is verified on the texts: there are no false alarms. What is exact or contained
is always found, the latter thanks to winnowing (Schleimer et al. 2003, doi:10.1145/872757.872770). Near duplicates are
found by MinHash LSH (Leskovec et al., Mining of Massive Datasets, chapter 3), which misses 1.6 % of the pairs whose
similarity is 0.5, and 0.02 % of those at 0.6. Time and memory grow linearly with the letters, unless very many texts
follow one template.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sentiment.reviews.selection import content_ids

KINDS = ("exact", "contained", "near")
EXACT, CONTAINED, NEAR, NONE = range(len(KINDS) + 1)

MIN_LETTERS = 20
# A passage of MIN_LETTERS letters has WINDOW grams. The least hash of every such window is kept, so two texts that
# share a passage share a kept hash. Longer grams are rarer, shorter windows keep more of them. GRAM is a power of two.
GRAM = 8
WINDOW = MIN_LETTERS - GRAM + 1
# Texts of Jaccard similarity s share a band with probability 1 - (1 - s ** ROWS) ** BANDS.
BANDS, ROWS = 64, 4
SEED = 1
# At most so much is compared at once, which bounds the memory of a step.
SLICE_TEXTS, SLICE_CHARACTERS = 4096, 1_000_000
BLOCK = 1 << 20

Keys = NDArray[np.uint64]
"""Sorted entries: the upper half of a hash, then the number of the row that has it."""
LOWER = np.uint64(2**32 - 1)
HALF = np.uint64(32)

WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> str:
    """Return a text's words, in small letters, with a blank between."""
    return " ".join(WORD.findall(text.casefold()))


def _letters(words: str) -> str:
    return words.replace(" ", "")


def _pairs(words: str) -> list[str]:
    """Return each word with the next one; a single word by itself."""
    listed = words.split()
    return [f"{word} {following}" for word, following in pairwise(listed)] or listed


def _normalize(texts: Iterable[str]) -> tuple[list[str], NDArray[np.uint64]]:
    """Return each text's words, and a number that texts share if their letters and digits are the same.

    Texts without a letter or digit share it if all their characters are the same.
    """
    words = []

    def letters() -> Iterator[str]:
        for text in texts:
            words.append(words_of(text))
            yield _letters(words[-1]) or text

    ids = content_ids(letters())
    return words, ids


def _contained(one: str, other: str) -> bool:
    shorter, longer = sorted((_letters(one), _letters(other)), key=len)
    return len(shorter) >= MIN_LETTERS and shorter in longer


def jaccard(one: Iterable[str], other: Iterable[str]) -> float:
    """Return the share of what either has that both have."""
    ours, theirs = set(one), set(other)
    return len(ours & theirs) / len(ours | theirs)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of the values over all bits (the finalizer of MurmurHash3)."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(factor)
    return values ^ (values >> np.uint64(33))


def _keys(hashes: NDArray[np.uint64], rows: NDArray[np.integer]) -> Keys:
    keys = np.sort((hashes & ~LOWER) | rows.astype(np.uint64))
    return keys[np.diff(keys, prepend=~keys[:1]) != 0]


def _passages(texts: Sequence[str]) -> Keys:
    """Return the hashes that winnowing keeps of each text's letters; none of a text with fewer than MIN_LETTERS."""
    letters = [_letters(words) for words in texts]
    codes = np.frombuffer("\n".join([*letters, ""]).encode("utf-32-le"), np.uint32).astype(np.uint64)
    if len(codes) < MIN_LETTERS:
        return np.empty(0, np.uint64)
    grams = _mix(codes)
    for size in (1, 2, 4):
        grams = _mix(grams[:-size] + _mix(grams[size:]))
    least = np.lib.stride_tricks.sliding_window_view(grams, WINDOW).min(axis=1)
    lengths = np.array([len(text) + 1 for text in letters])
    rows = np.repeat(np.arange(len(letters)), lengths)[: len(least)]
    whole = np.cumsum(lengths)[rows] - np.arange(len(least)) > MIN_LETTERS
    # Neighbouring windows of a text mostly share their least hash, which is taken once.
    first = np.append(True, (least[1:] != least[:-1]) | ~whole[:-1])
    kept = whole & first
    return _keys(least[kept], rows[kept])


def _bands(texts: Sequence[str]) -> Keys:
    return bands([_pairs(words) for words in texts])


def bands(sets: Sequence[list[str]]) -> Keys:
    """Return the hashes of the LSH bands of each set of words, or of pairs of them; none of an empty one."""
    from rensa import RMinHash

    rows = [row for row, tokens in enumerate(sets) if tokens]
    matrix = RMinHash.digest_matrix_from_token_sets([sets[row] for row in rows], BANDS * ROWS, SEED)
    signatures = np.array(matrix.to_rows(), np.uint64).reshape(len(rows), BANDS, ROWS)
    hashes = np.broadcast_to(np.arange(BANDS, dtype=np.uint64), (len(rows), BANDS))
    for row in range(ROWS):
        hashes = _mix(hashes + _mix(signatures[:, :, row]))
    return _keys(hashes.ravel(), np.repeat(np.array(rows, np.uint64), BANDS))


class Index:
    """Finds rows by hash."""

    def __init__(self, parts: Iterable[Keys]) -> None:
        self.keys: Keys = np.empty(0, np.uint64)
        for part in parts:
            # In place, because joining the parts would hold all of them twice.
            self.keys.resize(len(self.keys) + len(part), refcheck=False)
            self.keys[len(self.keys) - len(part) :] = part
        self.keys.sort()

    def _spans(self, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.searchsorted(self.keys, keys & ~LOWER), np.searchsorted(self.keys, keys | LOWER, side="right")

    def rarest(self, keys: Keys, rows: int) -> Keys:
        """Return for each row the one of its keys whose hash is rarest in the index; none if it lacks them all."""
        best = np.full(rows, 2**64 - 1, np.uint64)
        for start in range(0, len(keys), BLOCK):
            block = keys[start : start + BLOCK]
            low, high = self._spans(block)
            by_count = ((high - low).astype(np.uint64) << HALF) | (block >> HALF)
            np.minimum.at(best, (block & LOWER).astype(np.intp), by_count)
        shared = (best >> HALF != 0) & (best != 2**64 - 1)
        return _keys(best[shared] << HALF, np.flatnonzero(shared))

    def pairs(self, keys: Keys) -> Iterator[tuple[int, int]]:
        """Yield the pairs (row of the keys, row of the index) that share a hash, in the order of the keys' rows."""
        low, high = self._spans(keys)
        order = np.argsort(keys & LOWER, kind="stable")
        rows, low, counts = keys[order] << HALF, low[order], (high - low)[order]
        # Where many texts share phrases, there are many more pairs than keys: take a block at a time.
        ends = np.cumsum(counts)
        edges = np.searchsorted(ends, np.arange(BLOCK, ends[-1] if len(ends) else 0, BLOCK))
        for part in np.split(np.arange(len(keys)), edges):
            count = counts[part]
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            found = self.keys[np.repeat(low[part], count) + within] & LOWER
            both = np.unique(np.repeat(rows[part], count) | found)
            yield from zip((both >> HALF).tolist(), (both & LOWER).tolist(), strict=True)


def _slices(texts: Sequence[str]) -> Iterator[slice]:
    start = characters = 0
    for end, text in enumerate(texts):
        if end > start and (end - start >= SLICE_TEXTS or characters + len(text) > SLICE_CHARACTERS):
            yield slice(start, end)
            start, characters = end, 0
        characters += len(text)
    if start < len(texts):
        yield slice(start, len(texts))


def count_leaks(kinds: NDArray[np.int8]) -> dict[str, int]:
    """Count the leaks by kind, as the metrics name them."""
    return {f"leaked_{name}": int((kinds == kind).sum()) for kind, name in enumerate(KINDS)}


class Leaks:
    """Compares any number of texts, a batch at a time, with fixed ones.

    `texts` are the fixed ones. Their words are held in memory, with an index of about 1.2 bytes per letter and 0.5 kB
    per text. `threshold` is the Jaccard similarity that makes a near duplicate. `kinds`, int8 [texts], says what each
    of them was found to be so far: EXACT, CONTAINED, NEAR or NONE, the first that applies.
    """

    def __init__(self, texts: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        self._words, self._ids = _normalize(texts)
        self._passages = self._index(_passages)
        self._rarest = Index([self._passages.rarest(self._passages.keys, len(self._words))])
        self._bands = self._index(_bands)
        self.kinds = np.full(len(self._words), NONE, np.int8)

    def _index(self, keys: Callable[[Sequence[str]], Keys]) -> Index:
        slices = tqdm(list(_slices(self._words)), desc="index", unit="part", delay=1)
        return Index(keys(self._words[part]) + np.uint64(part.start) for part in slices)

    def find(self, texts: Sequence[str]) -> NDArray[np.int8]:
        """Return what each text is to the fixed ones, int8 [texts], and note in `kinds` what they are to the texts."""
        words, ids = _normalize(texts)
        kinds = np.where(np.isin(ids, self._ids), EXACT, NONE).astype(np.int8)
        self.kinds[np.isin(self._ids, ids)] = EXACT
        for part in _slices(words):
            self._compare(words[part], kinds[part])
        return kinds

    def _compare(self, words: list[str], kinds: NDArray[np.int8]) -> None:
        passages = _passages(words)
        for candidates in (
            self._rarest.pairs(passages),  # a fixed text within one of these
            self._passages.pairs(self._passages.rarest(passages, len(words))),  # one of these within a fixed text
        ):
            self._verify(candidates, words, kinds, CONTAINED)
        self._verify(self._bands.pairs(_bands(words)), words, kinds, NEAR)

    def _verify(
        self, candidates: Iterable[tuple[int, int]], words: list[str], kinds: NDArray[np.int8], kind: int
    ) -> None:
        for row, fixed in candidates:
            if kinds[row] <= kind and self.kinds[fixed] <= kind:
                continue
            one, other = words[row], self._words[fixed]
            if _contained(one, other) if kind == CONTAINED else jaccard(_pairs(one), _pairs(other)) >= self._threshold:
                kinds[row] = min(kinds[row], kind)
                self.kinds[fixed] = min(self.kinds[fixed], kind)


def leaks_between_splits(
    batches: Callable[[str], Iterable[Sequence[str]]], threshold: float
) -> dict[str, NDArray[np.int8]]:
    """Say of each text of train, validation and test how it leaks, int8 [texts] as `Leaks.kinds`.

    `batches` gives a split's texts in batches, as often as it is called. The test split stays whole, as experiments are
    compared on it: train and validation lose what they share with it. Then validation loses what it shares with train,
    as it is the one of the two that is evaluated on. The texts of test and of validation are held in memory.
    """
    test = Leaks(chain.from_iterable(batches("test")), threshold)
    kinds = {name: np.concatenate([test.find(texts) for texts in batches(name)]) for name in ("train", "validation")}
    kinds["test"] = np.full(len(test.kinds), NONE, np.int8)
    del test

    def remaining(name: str) -> Iterator[list[str]]:
        start = 0
        for texts in batches(name):
            yield [text for text, kind in zip(texts, kinds[name][start:], strict=False) if kind == NONE]
            start += len(texts)

    validation = Leaks(chain.from_iterable(remaining("validation")), threshold)
    for texts in remaining("train"):
        validation.find(texts)
    kinds["validation"][kinds["validation"] == NONE] = validation.kinds
    return kinds

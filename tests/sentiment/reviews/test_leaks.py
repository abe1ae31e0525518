import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.reviews import leaks
from sentiment.reviews.leaks import CONTAINED, EXACT, MIN_LETTERS, NEAR, NONE, Leaks, count_leaks, leaks_between_splits

SEPARATORS = st.sampled_from([" ", "  ", "\n", ", ", ". ", " - ", "'", "", "... "])


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def kind_of(one: str, other: str, threshold: float) -> int:
    """What a pair of texts is, found by comparing them; the reference."""
    words, others = words_of(one), words_of(other)
    letters, other_letters = "".join(words), "".join(others)
    if (letters or one) == (other_letters or other):
        return EXACT
    shorter, longer = sorted([letters, other_letters], key=len)
    if len(shorter) >= MIN_LETTERS and shorter in longer:
        return CONTAINED
    pairs, other_pairs = (set(pairwise(listed)) or {tuple(listed)} - {()} for listed in (words, others))
    either = pairs | other_pairs
    return NEAR if either and len(pairs & other_pairs) / len(either) >= threshold else NONE


def made_up(text: int, words: int = 30) -> list[str]:
    """Words that stand in no other made-up text."""
    letters = str.maketrans("0123456789", "abcdefghij")
    return [f"w{text}x{word}".translate(letters) for word in range(words)]


def find(fixed: list[str], texts: list[str], threshold: float = 0.5) -> tuple[list[int], list[int]]:
    found = Leaks(fixed, threshold)
    return found.find(texts).tolist(), found.kinds.tolist()


@given(data=st.data(), place=st.integers(0, 9))
def test_a_copy_is_found_however_it_is_spaced_spelled_and_punctuated(data: st.DataObject, place: int) -> None:
    texts = [" ".join(made_up(number, 3)) for number in range(10)]
    separators = data.draw(st.lists(SEPARATORS, min_size=3, max_size=3))
    copy = "".join(word.upper() + separator for word, separator in zip(made_up(place, 3), separators, strict=True))
    kinds, fixed = find(texts, [copy])

    assert kinds == [EXACT]
    assert fixed == [EXACT if number == place else NONE for number in range(10)]


@given(start=st.integers(0, 400), length=st.integers(MIN_LETTERS, 60), separator=SEPARATORS, place=st.integers(0, 4))
def test_a_passage_is_found_wherever_it_was_cut_out_and_in_both_directions(
    start: int, length: int, separator: str, place: int
) -> None:
    texts = [" ".join(made_up(number, 90)) for number in range(5)]
    letters = "".join(made_up(place, 90))
    start = min(start, len(letters) - length)
    passage = separator.join(letters[start : start + length])
    expected = [CONTAINED if number == place else NONE for number in range(5)]

    assert find(texts, [passage]) == ([CONTAINED], expected)
    assert find([passage], texts) == (expected, [CONTAINED])


def test_a_passage_of_fewer_letters_is_no_leak() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert find([letters], [letters[: MIN_LETTERS - 1]]) == ([NONE], [NONE])
    assert find([letters], [letters[3 : 3 + MIN_LETTERS]]) == ([CONTAINED], [CONTAINED])


@given(changed=st.sets(st.integers(0, 39), min_size=1, max_size=3), place=st.integers(0, 4))
def test_a_review_with_a_few_words_changed_is_found(changed: set[int], place: int) -> None:
    texts = [" ".join(made_up(number, 40)) for number in range(5)]
    words = made_up(place, 40)
    for word in changed:
        words[word] = "other"
    kinds, fixed = find(texts, [" ".join(words)], threshold=0.7)

    assert kinds == [NEAR]
    assert fixed == [NEAR if number == place else NONE for number in range(5)]


@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=8))
def test_texts_without_a_word_in_common_are_never_taken_for_leaks(counts: list[int]) -> None:
    texts = [" ".join(made_up(number, count)) for number, count in enumerate(counts)]
    kinds, fixed = find(texts[::2], texts[1::2])

    assert set(kinds) | set(fixed) == {NONE}


@given(
    fixed=st.lists(st.lists(st.sampled_from("ab"), max_size=40), max_size=6),
    texts=st.lists(st.lists(st.sampled_from("ab"), max_size=40), min_size=1, max_size=6),
    threshold=st.sampled_from([0.5, 0.8, 1.0]),
    separator=st.sampled_from([" ", ""]),
)
def test_what_is_found_is_what_comparing_every_pair_finds(
    fixed: list[list[str]], texts: list[list[str]], threshold: float, separator: str
) -> None:
    """Of two words only: every kind of overlap, repetition and chance candidate occurs."""
    others = [separator.join(words) for words in fixed]
    for kinds, own, other in zip(
        find(others, joined := [separator.join(words) for words in texts], threshold),
        (joined, others),
        (others, joined),
        strict=True,
    ):
        assert kinds == [min([kind_of(text, against, threshold) for against in other], default=NONE) for text in own]


TEXTS = st.lists(st.text(st.sampled_from("ab .!É1_\n"), max_size=50) | st.text(max_size=30), min_size=1, max_size=8)


@given(fixed=TEXTS, texts=TEXTS, data=st.data())
def test_neither_order_nor_batches_nor_slices_have_an_influence(
    fixed: list[str], texts: list[str], data: st.DataObject
) -> None:
    kinds, fixed_kinds = find(fixed, texts)
    order = data.draw(st.permutations(range(len(texts))))
    fixed_order = data.draw(st.permutations(range(len(fixed))))
    cut = data.draw(st.integers(0, len(texts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaks, "SLICE_TEXTS", 2)
        patch.setattr(leaks, "BLOCK", 50)
        found = Leaks([fixed[row] for row in fixed_order], 0.5)
        shuffled = [texts[row] for row in order]
        again = [*found.find(shuffled[:cut]), *found.find(shuffled[cut:])]

    assert again == [kinds[row] for row in order]
    assert found.kinds.tolist() == [fixed_kinds[row] for row in fixed_order]
    assert find(texts, fixed) == (fixed_kinds, kinds)


@given(texts=TEXTS)
def test_every_text_is_an_exact_copy_of_itself(texts: list[str]) -> None:
    assert set(find(texts, texts)[0]) == {EXACT}


def test_texts_without_letters_leak_only_as_the_same_signs() -> None:
    assert find([":-)", "!!!", ""], ["!!!", ":-("]) == ([EXACT, NONE], [NONE, EXACT, NONE])


def test_nothing_leaks_from_nothing() -> None:
    found = Leaks([], 0.5)
    assert found.find(["a review of more than twenty letters"]).tolist() == [NONE]
    assert found.find([]).tolist() == []
    assert found.kinds.tolist() == []


def test_the_first_kind_that_applies_counts_once() -> None:
    texts = [" ".join(made_up(number)) for number in range(4)]
    changed = " ".join([*made_up(2)[:-1], "other"])
    kinds, _ = find(texts, [texts[0], texts[0].upper() + "!", texts[1][:60], changed, "nothing of the kind"])

    assert count_leaks(np.array(kinds)) == {"leaked_exact": 2, "leaked_contained": 1, "leaked_near": 1}


def test_most_pairs_at_the_least_threshold_are_found() -> None:
    """Two thirds of the words are shared, which is a similarity of just 0.5: the worst case."""
    fixed = [" ".join([*made_up(number, 42), *made_up(number + 1000, 20)]) for number in range(1000)]
    texts = [" ".join([*made_up(number, 42), *made_up(number + 2000, 20)]) for number in range(1000)]
    assert {kind_of(*pair, 0.5) for pair in zip(fixed, texts, strict=True)} == {NEAR}
    kinds, _ = find(fixed, texts)

    assert kinds.count(NEAR) > 970


@given(data=st.data())
def test_after_dropping_what_leaks_no_split_leaks_into_another_and_test_stays_whole(data: st.DataObject) -> None:
    pool = [" ".join(made_up(number, 12)) for number in range(3)]
    pool += [f"{text} and more" for text in pool] + [text[10:50] for text in pool] + ["!", "fine"]
    splits = {
        name: data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=6))
        for name in ("train", "validation", "test")
    }

    def batches(name: str) -> Iterator[list[str]]:
        yield from (splits[name][:2], splits[name][2:])

    kinds = leaks_between_splits(batches, 0.5)
    stays = {
        name: [text for text, kind in zip(texts, kinds[name], strict=True) if kind == NONE]
        for name, texts in splits.items()
    }

    assert {name: len(own) for name, own in kinds.items()} == {name: len(texts) for name, texts in splits.items()}
    assert stays["test"] == splits["test"]
    for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
        assert all(kind_of(text, against, 0.5) == NONE for text in stays[one] for against in stays[other])
    for name in ("train", "validation"):
        for text, kind in zip(splits[name], kinds[name], strict=True):
            others = splits["test"] if name == "train" else splits["test"] + stays["train"]
            assert (kind == NONE) == all(kind_of(text, against, 0.5) == NONE for against in others)

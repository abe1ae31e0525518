"""What must hold for every family of models, on tiny random ones with a tokenizer of the family's kind, built here.

What the tokenizer or the configuration decides is tested with the real ones too.
"""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoModel, PreTrainedModel, set_seed

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.loading import load
from sentiment.text.encoding import Padding, load_tokenizer
from sentiment.training.build import build
from sentiment.training.fine_tune import fine_tune
from tests.conftest import BAD, GOOD, NEUTRAL
from tests.families import FAMILIES, POSITIONS
from tests.members import Member

FIRST = pytest.param("first", marks=pytest.mark.slow)
POOLINGS = ["mean", "first"]
TYPES = [family.model_type for family in FAMILIES]


def with_the_real_ones(*types: str) -> pytest.MarkDecorator:
    """Run a test for the families of these types, or for all, with what is built here and with what is real."""
    families = [family for family in FAMILIES if family.model_type in (types or TYPES)]
    built = [pytest.param((family, False), id=f"{family} built") for family in families]
    real = [pytest.param((family, True), id=f"{family} real", marks=pytest.mark.slow) for family in families]
    return pytest.mark.parametrize("member", built + real, indirect=True)


@pytest.fixture(scope="module", params=[(family, False) for family in FAMILIES], ids=TYPES)
def member(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, params_with: Callable[..., Params]
) -> Member:
    family, real = request.param
    folder = tmp_path_factory.mktemp("families") / family.model_type
    family.write(folder, real=real)
    torch.set_num_threads(1)
    return Member(family, folder, load_tokenizer(folder), params_with)


@pytest.fixture(scope="module")
def sequences(member: Member, toy_reviews: pa.Table) -> list[list[int]]:
    return member.encode(toy_reviews["text"].to_pylist())


@with_the_real_ones()
@pytest.mark.parametrize("pooling", POOLINGS)
def test_logits_depend_on_neither_padding_nor_the_rest_of_the_batch(
    member: Member, sequences: list[list[int]], pooling: str
) -> None:
    model = member.build(pooling=pooling, dropout=0.5)
    some = sequences[:12]
    alone = np.concatenate([member.logits(model, [ids]) for ids in some])
    assert np.ptp(alone, axis=0).min() > 1e-3
    for batch_size in (5, 12):
        np.testing.assert_allclose(member.logits(model, some, batch_size), alone, atol=1e-5)
    np.testing.assert_allclose(member.logits(model, some[::-1], 7), alone[::-1], atol=1e-5)


@with_the_real_ones()
@pytest.mark.parametrize("pooling", ["mean", FIRST])
def test_64_reviews_are_learnt_by_heart(member: Member, tmp_path: Path, pooling: str) -> None:
    texts = [
        " ".join([*NEUTRAL[pair % 8 : pair // 4 + 1], *(words[(pair + step) % 6] for step in range(3))])
        for pair in range(32)
        for words in (BAD, GOOD)
    ]
    ids = member.encode(texts)
    table = pa.table({"input_ids": pa.array(ids, pa.list_(pa.int32())), "label": pa.array([0, 1] * 32, pa.int8())})
    train = {"epochs": 5, "batch_size": 8, "lr": 1e-2, "averaging": 0.0, "freeze": "none"}
    params = member.params_with(precision="fp32", train=train | {"pooling": pooling, "max_minutes": 60})
    set_seed(1)
    model = build(member.folder, member.tokenizer, params.train)
    padding = Padding.of(member.tokenizer)
    places = {"checkpoints": tmp_path / "checkpoints", "curves": tmp_path / "curves"}
    metrics = fine_tune(model, padding, table, table, params, **places)
    assert metrics["validation"]["accuracy"] == 1.0
    assert member.logits(model, ids).argmax(1).tolist() == [0, 1] * 32


@with_the_real_ones()
def test_a_saved_tokenizer_gives_the_same_ids_and_padding(
    member: Member, toy_reviews: pa.Table, tmp_path: Path
) -> None:
    # A tokenizer is loaded with the limit of the architecture beside it.
    member.build().save_pretrained(tmp_path)
    member.tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    again = Member(member.family, tmp_path, loaded, member.params_with)
    texts = [*toy_reviews["text"].to_pylist(), "It's … a “GOOD”\tfilm 😀 </s>", ""]
    assert again.encode(texts) == member.encode(texts)
    assert Padding.of(loaded) == Padding.of(member.tokenizer)
    assert loaded.model_max_length == member.tokenizer.model_max_length


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_saved_model_gives_the_same_logits(
    member: Member, sequences: list[list[int]], tmp_path: Path, pooling: str
) -> None:
    model = member.build(pooling=pooling)
    model.save_pretrained(tmp_path)
    np.testing.assert_allclose(member.logits(load(tmp_path), sequences), member.logits(model, sequences), atol=1e-6)


@with_the_real_ones()
def test_a_review_of_any_length_is_cut_to_what_the_model_takes(member: Member) -> None:
    if member.family.model_type == "xlnet":
        length, limited = 5 * POSITIONS, False
        assert member.tokenizer.model_max_length > 1e29
    else:
        length, limited = POSITIONS, True
        assert member.tokenizer.model_max_length == POSITIONS
    sequences = member.encode(["the film was good " * 1000, "", "good"], length)
    assert [len(ids) for ids in sequences[:1]] == [length]
    assert np.isfinite(member.logits(member.build(), sequences, 1)).all()
    if limited:
        sentence = f"tokenize.max_length is {length + 1}, but the model takes at most {length} tokens: lower it"
        with pytest.raises(UserError, match=re.escape(sentence)):
            member.encode([], length + 1)


@with_the_real_ones()
def test_encoding_is_the_tokenizers_own_and_no_text_spells_a_special_token(member: Member) -> None:
    tokenizer = member.tokenizer
    texts = ["the film was good", "a dull plot"]
    assert member.encode(texts) == tokenizer(texts)["input_ids"]
    before, after = member.encode([""])[0], tokenizer("")["input_ids"]
    assert before == (after or [tokenizer.pad_token_id])
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    for token in tokenizer.all_special_tokens:
        ids = member.encode([f"a {token} good{token}"])[0]
        assert sum(i in special for i in ids) == len(after)
        assert len(ids) > len(member.encode(["a"])[0])


def test_segment_ids_are_not_missed(member: Member, sequences: list[list[int]]) -> None:
    batch = Padding.of(member.tokenizer)([{"input_ids": ids} for ids in sequences[:6]])
    assert set(batch) == {"input_ids", "attention_mask"}
    model = member.build(pooling="first").eval()
    with torch.inference_mode():
        expected = model(**batch).logits
        if "token_type_ids" in model.forward.__code__.co_varnames:
            segments = torch.zeros_like(batch["input_ids"])
            torch.testing.assert_close(model(**batch, token_type_ids=segments).logits, expected, atol=1e-5, rtol=1e-5)


def test_the_encoders_weights_are_those_of_the_file(member: Member) -> None:
    expected = AutoModel.from_pretrained(member.folder).state_dict()
    for pooling in POOLINGS:
        weights = member.build(pooling=pooling).base_model.state_dict()
        kept = {name: weight for name, weight in weights.items() if "pooler" not in name}
        assert len(kept) > 10
        assert [name for name, weight in kept.items() if not torch.equal(weight, expected[name])] == []


@pytest.mark.parametrize("pooling", ["mean", FIRST])
def test_a_tokenizer_with_more_tokens_than_the_model_gets_embeddings_for_them(
    member: Member, tmp_path: Path, pooling: str
) -> None:
    tokenizer = deepcopy(member.tokenizer)
    vocabulary = member.build().base_model.get_input_embeddings().num_embeddings
    tokenizer.add_tokens([f"new{number}" for number in range(vocabulary - len(tokenizer) + 3)])
    larger = Member(member.family, member.folder, tokenizer, member.params_with)
    model = larger.build(pooling=pooling)
    last = [[len(tokenizer) - 1]]
    expected = larger.logits(model, last)
    model.save_pretrained(tmp_path)
    np.testing.assert_allclose(larger.logits(load(tmp_path), last), expected, atol=1e-6)


def test_the_librarys_choice_of_attention_gives_the_same_logits(
    member: Member, sequences: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = member.logits(member.build(), sequences[:8])
    # Built for a GPU, and left where it is.
    monkeypatch.setattr(PreTrainedModel, "to", lambda model, _: model)
    model = member.build("cuda")
    kind = model.base_model.config._attn_implementation
    assert kind == ("eager" if member.family.model_type in {"xlnet", "deberta-v2"} else "sdpa")
    np.testing.assert_allclose(member.logits(model, sequences[:8]), expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_half_precision_gives_almost_the_same_logits_and_gradients(
    member: Member, sequences: list[list[int]], dtype: torch.dtype
) -> None:
    model = member.build(dropout=0.0)
    rows = [{"input_ids": ids, "labels": number % 2} for number, ids in enumerate(sequences[:8])]
    batch = Padding.of(member.tokenizer)(rows)
    found = []
    for half in (False, True):
        model.train().zero_grad()
        with torch.autocast("cpu", dtype, enabled=half):
            output = model(**batch)
        output.loss.backward()
        gradients = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
        found.append((output.logits.detach().float(), gradients))
    (logits, gradients), (rounded, roughly) = found
    torch.testing.assert_close(rounded, logits, atol=0.05, rtol=0.05)
    assert torch.nn.functional.cosine_similarity(gradients, roughly, dim=0) > 0.98


@with_the_real_ones("gpt2")
def test_gpt2_pads_with_its_end_token_and_classifies_from_the_last_real_one(
    member: Member, sequences: list[list[int]]
) -> None:
    assert Padding.of(member.tokenizer) == Padding(member.tokenizer.eos_token_id, "right")
    model = member.build(pooling="first").eval()
    assert model.config.pad_token_id == member.tokenizer.eos_token_id
    with torch.inference_mode():
        expected = [model.score(model.transformer(torch.tensor([ids]))[0][0, -1]).numpy() for ids in sequences[:8]]
    np.testing.assert_allclose(member.logits(model, sequences[:8]), expected, atol=1e-5)


@with_the_real_ones("xlnet")
def test_xlnet_pads_on_the_left_and_classifies_from_its_last_token(member: Member, sequences: list[list[int]]) -> None:
    assert Padding.of(member.tokenizer) == Padding(member.tokenizer.pad_token_id, "left")
    assert {ids[-1] for ids in sequences} == {member.tokenizer.cls_token_id}
    model = member.build(pooling="first").eval()
    assert model.config.summary_type == "last"


@with_the_real_ones("gpt2")
def test_a_decoders_left_padding_is_for_generation_and_not_taken(member: Member, tmp_path: Path) -> None:
    tokenizer = deepcopy(member.tokenizer)
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(tmp_path)
    member.build().save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).padding_side == "right"


@with_the_real_ones("roberta")
def test_roberta_has_two_positions_fewer_than_its_configuration_says(member: Member, tmp_path: Path) -> None:
    tokenizer = deepcopy(member.tokenizer)
    assert member.build().encoder.config.max_position_embeddings == POSITIONS + 2
    tokenizer.model_max_length = int(1e30)
    tokenizer.save_pretrained(tmp_path)
    member.build(pooling="first").save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).model_max_length == POSITIONS


DIFFICULT = [
    "Good… film",
    "wow 😀 👩‍👩‍👧 ✨",
    "\uff26\uff35\uff2c\uff2c\u3000\uff57\uff49\uff44\uff54\uff48 \ufb01ne \u00bd",
    "  two  blanks\tand\nlines  ",
    "cafe\u0301 caf\u00e9 \u00a0nbsp\u200b",
    "\u6f22\u5b57 \ua64a \u0438\u0301",
    "",
]


@with_the_real_ones("deberta-v2")
def test_deberta_tokenizes_as_it_was_pretrained(member: Member, toy_reviews: pa.Table, tmp_path: Path) -> None:
    from sentencepiece import SentencePieceProcessor

    pretrained = SentencePieceProcessor(str(member.folder / "spm.model"))
    texts = [*DIFFICULT, *toy_reviews["text"].to_pylist()]
    expected = [pretrained.encode(text) for text in texts]
    cls, sep = member.tokenizer.cls_token_id, member.tokenizer.sep_token_id
    assert member.encode(texts) == [[cls, *ids, sep] for ids in expected]
    assert [ids.count(member.tokenizer.unk_token_id) for ids in member.encode(texts)] == [0] * len(texts)
    # What only has a tokenizer.json is taken at its word.
    member.tokenizer.save_pretrained(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    config.write_text(config.read_text().replace("TokenizersBackend", "DebertaV2Tokenizer"))
    assert load_tokenizer(tmp_path)(texts, add_special_tokens=False)["input_ids"] == expected

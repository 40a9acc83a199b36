"""Tokens: training, scripts, offsets, truncation, given tokenizers."""

import json
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from lepton.core.errors import BadInput, UserError
from lepton.transforms import tokens

TEXTS = [f"Where is my new card number {number}? Please help, I want to know the exchange rate" for number in range(60)]
CHINESE = [f"我想知道我的银行卡什么时候到{number}" for number in range(60)]
THAI = ["ฉันต้องการทราบว่าบัตรของฉันจะมาถึงเมื่อไหร่" for _ in range(60)]


def fitted(texts=TEXTS, **settings):
    made = tokens.fit(texts, vocabulary=500, **settings)
    return made, tokens.encoder(made.settings, made.files)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_samples_have_special_tokens_a_full_mask_and_exact_offsets(kind):
    made, encode = fitted(kind=kind)
    text = "  Where is\tmy CARD?"
    sample = encode(text)
    assert {name: array.dtype for name, array in sample.items()} == dict.fromkeys(sample, np.dtype(np.int64))
    assert sample["input_ids"][[0, -1]].tolist() == [2, 3]
    assert sample["attention_mask"].all()
    inner = sample["offsets"][1:-1]
    assert sample["offsets"][[0, -1]].tolist() == [[0, 0], [0, 0]]
    assert "".join(text[start:end] for start, end in inner) == "WhereismyCARD?"
    assert max(sample["input_ids"]) < made.settings["vocabulary"] <= 500


@pytest.mark.parametrize("texts", [CHINESE, THAI, ["Ich weiß, größer! Ёлка 😀 مرحبا"] * 5])
@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_any_script_is_cut_without_unknown_tokens(texts, kind):
    made, encode = fitted(texts, kind=kind)
    sample = encode(texts[0])
    assert 1 not in sample["input_ids"]
    assert "".join(texts[0][start:end] for start, end in sample["offsets"]) == texts[0].replace(" ", "")


def test_an_unknown_letter_costs_bpe_only_itself():
    _, encode = fitted(kind="bpe")
    assert (encode("card🦄")["input_ids"] == 1).sum() == 1
    assert len(encode("card🦄")["input_ids"]) == len(encode("card")["input_ids"]) + 1


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_training_gives_the_same_bytes_in_every_process(kind):
    code = (
        "import hashlib; from lepton.transforms import tokens\n"
        f"texts = {TEXTS[:20] + CHINESE[:20]!r}\n"
        f"made = tokens.fit(texts, vocabulary=150, kind={kind!r})\n"
        "print(hashlib.sha256(made.files['tokenizer.json']).hexdigest())"
    )
    seen = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(3)}
    assert len(seen) == 1


def test_the_vocabulary_is_a_bound_even_for_many_letters():
    many = ["".join(chr(0x4E00 + 40 * row + column) for column in range(40)) for row in range(40)]
    made = tokens.fit(many, vocabulary=100)
    assert made.settings["vocabulary"] <= 100


def test_lengths_come_from_the_99th_percentile_and_longer_texts_are_cut():
    made, encode = fitted(["one two three four"] * 200 + ["one " * 400])
    assert made.settings["max_length"] == 8
    cut = encode("one two three four " * 50)
    assert len(cut["input_ids"]) == 8
    assert cut["input_ids"][-1] == 3


def test_a_very_long_text_is_cut_before_it_is_tokenised():
    made, encode = fitted()
    assert made.settings["max_characters"] == 16 * made.settings["max_length"]
    assert len(encode("a " * 5_000_000)["input_ids"]) == made.settings["max_length"]


def test_case_is_kept_where_asked_for():
    _, encode = fitted(lowercase=False)
    assert encode("Where")["input_ids"].tolist() != encode("where")["input_ids"].tolist()
    _, lower = fitted()
    assert lower("Where")["input_ids"].tolist() == lower("where")["input_ids"].tolist()


def test_bytes_are_utf8_and_may_begin_with_a_mark():
    _, encode = fitted()
    expected = encode("card größe")["input_ids"].tolist()
    assert encode("card größe".encode())["input_ids"].tolist() == expected
    assert encode("card größe".encode("utf-8-sig"))["input_ids"].tolist() == expected


@pytest.mark.parametrize("raw", ["", "  \n\t", b"", b"\xff\xfe\x00", "größe".encode("latin-1")])
def test_empty_or_wrongly_encoded_texts_are_bad_input(raw):
    _, encode = fitted()
    with pytest.raises(BadInput):
        encode(raw)


def test_collate_pads_with_zeros_behind_the_mask():
    _, encode = fitted()
    batch = tokens.collate([encode("card"), encode("where is my card?")])
    assert len({array.shape[:2] for array in batch.values()}) == 1
    short = batch["attention_mask"][0].sum()
    assert short < batch["attention_mask"].shape[1]
    assert not batch["input_ids"][0, short:].any()
    assert batch["offsets"].shape[2] == 2


def test_a_given_tokenizer_is_taken_as_it_is(tmp_path):
    own = Tokenizer(models.WordLevel({"<unk>": 0, "▁hello": 1, "▁world": 2, "<pad>": 7}, unk_token="<unk>"))
    own.pre_tokenizer = pre_tokenizers.Metaspace()
    own.save(str(tmp_path / "tokenizer.json"))
    made = tokens.fit(["hello world"], tokenizer=str(tmp_path), max_length=5)
    assert made.settings["vocabulary"] == 8
    assert made.settings["padding"] == 7
    sample = tokens.encoder(made.settings, made.files)("hello world")
    assert sample["input_ids"].tolist() == [1, 2]
    assert sample["offsets"].tolist() == [[0, 5], [6, 11]]


def test_what_is_no_tokenizer_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="no tokenizer"):
        tokens.fit(TEXTS, tokenizer=str(tmp_path))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"not": "one"}))
    with pytest.raises(UserError, match="is not a tokenizer"):
        tokens.fit(TEXTS, tokenizer=str(tmp_path))


ENCODE = fitted(TEXTS + CHINESE)[1]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_is_encoded_with_offsets_inside_it(text):
    try:
        sample = ENCODE(text)
    except BadInput:
        assert not text.strip()
        return
    assert (sample["offsets"] >= 0).all()
    assert (sample["offsets"] <= len(text)).all()
    assert (sample["offsets"][:, 0] <= sample["offsets"][:, 1]).all()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_encoded_or_bad_input(raw):
    with suppress(BadInput):
        assert ENCODE(raw)["attention_mask"].all()


def test_half_a_surrogate_pair_keeps_the_places_of_the_other_characters():
    sample = ENCODE("card \ud83d where")
    assert sample["offsets"][1].tolist()[0] == 0
    assert sample["offsets"][-2].tolist()[1] == 12

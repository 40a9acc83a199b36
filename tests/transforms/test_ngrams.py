"""N-grams: ids and weights against scikit-learn's TF-IDF, texts of any kind."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from lepton.core.errors import BadInput, UserError
from lepton.transforms import ngrams

TEXTS = ["Where is my card?", "my card has not arrived", "top up my card, my friend", "exchange rate", "exchange it"]


def fitted(texts=TEXTS, **settings):
    made = ngrams.fit(texts, **settings)
    return made, ngrams.encoder(made.settings, made.files)


def sums(encode, text):
    return sorted(encode(text)["weights"].tolist())


def test_word_weights_are_those_of_tfidf():
    _, encode = fitted(words=(1, 2), characters=(0, 0), distinct=False)
    reference = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", sublinear_tf=True).fit(TEXTS)
    for text in [*TEXTS, "my my my card"]:
        np.testing.assert_allclose(sums(encode, text), sorted(reference.transform([text]).data), rtol=2e-3)


def test_character_weights_are_those_of_tfidf():
    _, encode = fitted(words=(0, 0), characters=(2, 5), distinct=False)
    bounded = [f" {text.lower()} " for text in TEXTS]
    reference = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), sublinear_tf=True).fit(bounded)
    for text, other in zip(TEXTS, bounded, strict=True):
        np.testing.assert_allclose(sums(encode, text), sorted(reference.transform([other]).data), rtol=2e-3)


def test_each_kind_has_a_norm_of_one():
    _, encode = fitted()
    assert np.square(encode(TEXTS[0])["weights"]).sum() == pytest.approx(2, rel=1e-5)


def test_the_most_frequent_ngrams_get_the_ids():
    made, encode = fitted(words=(1, 1), characters=(0, 0), vocabulary=3, distinct=False)
    assert made.settings["vocabulary"] == 3
    assert len(encode("my card")["ngrams"]) == 2
    assert encode("exchange rate")["ngrams"].tolist() == [0]
    assert encode("exchange rate")["weights"].tolist() == [0.0]


def test_of_ngrams_that_stand_in_the_same_texts_one_is_kept():
    made, encode = fitted(["one two", "one three", "one"], words=(1, 1), characters=(0, 0))
    assert made.settings["vocabulary"] == 4
    made, encode = fitted(["red rose", "red rose here", "here"], words=(1, 1), characters=(0, 0))
    assert made.settings["vocabulary"] == 3
    assert len(encode("red rose")["ngrams"]) == 1


def test_ids_differ_by_text_and_stay_inside_the_vocabulary():
    made, encode = fitted()
    ids = encode("my card")["ngrams"]
    assert ids.dtype == np.int64
    assert len(set(ids.tolist())) == len(ids)
    assert ids.min() > 0
    assert ids.max() < made.settings["vocabulary"]


def test_fit_is_the_same_in_pieces_and_in_every_process(monkeypatch):
    whole = ngrams.fit(TEXTS * 3, vocabulary=40)
    monkeypatch.setattr(ngrams, "_MERGED", 2)
    assert ngrams.fit(TEXTS * 3, vocabulary=40) == whole
    code = f"from lepton.transforms import ngrams; print(ngrams.fit({TEXTS * 3!r}, vocabulary=40).files)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert printed.strip() == str(whole.files)


def test_case_and_compatible_forms_are_folded_where_asked_for():
    _, encode = fitted()
    same = encode("MY ｃａｒｄ")["ngrams"].tolist()
    assert same == encode("my card")["ngrams"].tolist()
    _, exact = fitted(lowercase=False)
    assert exact("MY CARD")["ngrams"].tolist() != exact("my card")["ngrams"].tolist()


def test_chinese_is_read_by_its_characters():
    _, encode = fitted(["我想知道我的银行卡", "我的银行卡在哪里", "汇率是多少"])
    assert set(encode("银行卡")["ngrams"]) & set(encode("我的银行卡在哪里")["ngrams"])


def test_long_texts_are_cut():
    _, encode = fitted(max_characters=10)
    assert encode("my card " + "x" * 100)["ngrams"].tolist() == encode("my card xx")["ngrams"].tolist()


def test_collate_fills_up_with_zeros():
    _, encode = fitted()
    batch = ngrams.collate([encode("my"), encode("where is my card")])
    assert batch["ngrams"].shape == batch["weights"].shape
    empty = batch["ngrams"][0] == 0
    assert empty.any()
    assert not batch["weights"][0][empty].any()


@pytest.mark.parametrize("spans", [{"words": (2, 1)}, {"characters": (0, 3)}, {"words": (0, 0), "characters": (0, 0)}])
def test_impossible_spans_are_the_users_mistake(spans):
    with pytest.raises(UserError):
        ngrams.fit(TEXTS, **spans)


def test_no_text_at_all_is_the_users_mistake():
    with pytest.raises(UserError, match="no training input"):
        ngrams.fit([])


ENCODE = fitted()[1]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_is_encoded(text):
    try:
        sample = ENCODE(text)
    except BadInput:
        assert not text.strip()
        return
    assert len(sample["ngrams"]) == len(sample["weights"]) > 0
    assert np.isfinite(sample["weights"]).all()

import numpy as np
import pytest

from lepton.core.errors import BadInput, UserError
from lepton.transforms import ngrams, tokens, views

TEXTS = ["the cat sat on the mat", "a dog sat on a log", "你好 世界", "the cat and the dog"] * 3


@pytest.fixture(scope="module")
def fitted():
    return views.fit(TEXTS, vocabulary=200, ngrams=500)


def test_gives_what_both_transforms_give(fitted):
    first = tokens.fit(TEXTS, vocabulary=200)
    second = ngrams.fit(TEXTS, vocabulary=500, distinct=False)
    wanted = {
        **tokens.encoder(first.settings, first.files)("the dog sat"),
        **ngrams.encoder(second.settings, second.files)("the dog sat"),
    }
    got = views.encoder(fitted.settings, fitted.files)("the dog sat")
    assert set(got) == {*views.INPUTS, "offsets"}
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array)


def test_says_both_vocabularies(fitted):
    encode = views.encoder(fitted.settings, fitted.files)
    samples = [encode(text) for text in TEXTS]
    assert max(sample["input_ids"].max() for sample in samples) < fitted.settings["vocabulary"] <= 200
    assert max(sample["ngrams"].max() for sample in samples) < fitted.settings["ngrams"]["vocabulary"] <= 500


def test_pads_each_view_to_its_own_length(fitted):
    encode = views.encoder(fitted.settings, fitted.files)
    samples = [encode(text) for text in TEXTS[:3]]
    batch = views.collate(samples)
    for name in views.INPUTS:
        assert batch[name].shape == (3, max(len(sample[name]) for sample in samples))
        for row, sample in zip(batch[name], samples, strict=True):
            np.testing.assert_array_equal(row[: len(sample[name])], sample[name])
            assert not row[len(sample[name]) :].any()


def test_takes_bytes_and_refuses_what_is_no_text(fitted):
    encode = views.encoder(fitted.settings, fitted.files)
    np.testing.assert_array_equal(encode(b"the cat")["ngrams"], encode("the cat")["ngrams"])
    for raw in ("", b"\xff\xfe\xff"):
        with pytest.raises(BadInput):
            encode(raw)


def test_takes_texts_that_come_one_by_one(fitted):
    assert views.fit(iter(TEXTS), vocabulary=200, ngrams=500) == fitted


def test_needs_texts():
    with pytest.raises(UserError):
        views.fit([])

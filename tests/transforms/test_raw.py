"""What the transforms share."""

import numpy as np
import pytest

from lepton.core.errors import BadInput, UserError
from lepton.transforms._raw import bytes_of, padded, some, stacked, text_of


def test_some_spreads_evenly_and_takes_all_of_few():
    assert some(list("abcdefgh"), 4) == ["a", "c", "e", "g"]
    assert some(iter("ab"), 4) == ["a", "b"]
    with pytest.raises(UserError):
        some([], 3)


def test_text_and_bytes():
    assert text_of("é".encode("utf-8-sig")) == "é"
    assert text_of("a\udc00b") == "a\ufffdb"
    assert bytes_of(bytearray(b"ab"), "an image") == b"ab"
    for wrong in ("text", b""):
        with pytest.raises(BadInput, match="bytes of an image file"):
            bytes_of(wrong, "an image")


def test_stacked_and_padded():
    samples = [{"a": np.ones(2, np.int64)}, {"a": np.ones(3, np.int64)}]
    assert padded(samples)["a"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert stacked(samples[:1] * 2)["a"].shape == (2, 2)

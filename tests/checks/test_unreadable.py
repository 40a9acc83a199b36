import numpy as np

from lepton.checks import unreadable
from lepton.core.errors import BadInput
from lepton.core.types import Record


def encoder(raw):
    if len(raw) > 2:
        raise BadInput("The text is too long", received=raw)
    return {"x": np.zeros(1)}


def test_what_the_encoder_refuses_is_named_by_reason(texts, tmp_path):
    records = [*texts(("ab", "x"), ("abc", "x"), ("abcd", "x")), Record("gone", tmp_path / "gone", "x")]
    first, second = unreadable.find(records, encoder=encoder)
    assert [suspect.id for suspect in first.records] == ["1", "2"]
    assert "too long" in first.message
    assert [suspect.id for suspect in second.records] == ["gone"]


def test_all_is_well(texts):
    assert unreadable.find(texts(("a", "x")), encoder=encoder) == []

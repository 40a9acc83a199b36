import pytest

from lepton.core.errors import UserError
from lepton.core.types import Record
from lepton.stages import _weakest


def answered(count=120):
    """Texts of two speakers, all of `bo`'s wrong but for a few, and a field that tells nothing."""
    records = [
        Record(
            str(n), "x" * (1 + n % 30), "ab"[n % 2], "test", {"who": "bo" if n % 4 == 0 else "al", "day": str(n % 3)}
        )
        for n in range(count)
    ]
    wrong = [record.fields["who"] == "bo" and int(record.id) % 5 for record in records]
    answers = [
        [{"label": "ba"["ab".index(r.label)] if bad else r.label, "score": 1.0}]
        for r, bad in zip(records, wrong, strict=True)
    ]
    return records, answers


def rows(declared=()):
    return _weakest.rows("text-classification", answered(), ["a", "b"], declared=declared, seed=0)


def test_slices_are_found_and_the_weak_one_is_named():
    found = rows()
    assert {row["field"] for row in found} == {"who", "day", "length (characters)"}
    assert [row["value"] for row in found if row["weak"]] == ["bo"]
    worst = found[0]
    assert (worst["value"], worst["n"], worst["declared"]) == ("bo", 30, False)
    assert worst["metric"]["value"] == pytest.approx(6 / 30)
    assert worst["metric"]["low"] < 6 / 30 < worst["metric"]["high"] < 0.5
    assert worst["others"] == 1.0
    assert [row["metric"]["value"] for row in found] == sorted(row["metric"]["value"] for row in found)


def test_declared_fields_come_with_every_value_and_once():
    found = rows(["who", "day"])
    assert [row["value"] for row in found if row["field"] == "who"] == ["bo", "al"]
    assert all(row["declared"] == (row["field"] in ("who", "day")) for row in found)


def test_a_declared_field_that_is_not_there_is_refused_with_those_that_are():
    records, _ = answered(8)
    _weakest.check(records, ["who"])
    with pytest.raises(UserError, match="whom.*'who'"):
        _weakest.check(records, ["whom"])

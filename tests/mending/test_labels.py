import pytest

from lepton.checks._words import label_text
from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.mending import labels


def test_a_class_is_what_is_written(records):
    assert labels.read(" a class, [1:2] ", records[0]) == "a class, [1:2]"
    assert labels.read("new", Record("x", "text", None)) == "new"


def test_entities_are_written_as_findings_show_them(entities):
    spans = (Span(0, 4, "a, b"), Span(9, 11, "per[son]"))
    assert labels.read(label_text(spans), entities[0]) == spans
    assert labels.read("no entity", entities[0]) == ()


@pytest.mark.parametrize("text", ["person", "person[0:4] and", "person[4:0]", "p[0:40]", "p[0:4], p[3:6]"])
def test_what_is_no_entity_is_refused(entities, text):
    with pytest.raises(UserError, match="no entit"):
        labels.read(text, entities[0])


def test_kinds_do_not_mix(records, entities):
    for label, record in ((("place"), entities[0]), ((), records[0]), (None, records[0]), (None, entities[0])):
        with pytest.raises(UserError, match="no label for"):
            labels.fitting(label, record)


def test_a_slip_of_the_pen_is_told_with_the_nearest_class(records):
    assert labels.known(records) == ["person", "place"]
    labels.check_known("place", ["person", "place"])
    with pytest.raises(UserError, match="plaec.*--new-labels"):
        labels.check_known("plaec", ["person", "place"])
    with pytest.raises(UserError, match="pet"):
        labels.check_known((Span(0, 1, "pet"),), ["person"])

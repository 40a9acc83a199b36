import pytest

from lepton.checks import _audit, box_faults
from lepton.core.types import Box, Record, Span


@pytest.fixture
def found(picture):
    """Findings on records of pictures of 40 x 30 with these boxes, by the first words of their message."""

    def find(*labels, **settings):
        raw = picture([[0] * 40] * 30)
        records = [Record(str(at), raw, label) for at, label in enumerate(labels)]
        return box_faults.find(records, **settings)

    return find


WELL = Box(1, 2, 20, 10, "cat")


def test_boxes_as_they_should_be(found):
    whole = Box(0, 0, 40, 30, "cat")
    by_one = Box(1, 1, 41, 31, "cat")
    assert found((WELL, whole, by_one, Box(1, 2, 20, 10, "dog")), ()) == []


@pytest.mark.parametrize("box", [Box(5, 5, 5, 9, "cat"), Box(5, 9, 9, 9, "cat"), Box(9, 5, 5, 9, "cat")])
def test_no_area(found, box):
    [finding] = found((WELL, box), (WELL,))
    assert (finding.check, finding.severity) == ("box_faults", "error")
    assert finding.message.startswith("1 box without area, in 1 record, such as cat[")
    [suspect] = finding.records
    assert (suspect.id, suspect.score) == ("0", 0.5)
    assert suspect.given == "cat[{:g},{:g},{:g},{:g}]".format(*box[:4])


@pytest.mark.parametrize("box", [Box(-2, 0, 9, 9, "cat"), Box(0, 0, 42, 9, "cat"), Box(50, 50, 60, 60, "cat")])
def test_outside(found, box):
    [finding] = found((box,))
    assert finding.message.startswith("1 box that reach")


def test_told_twice(found):
    [finding] = found((WELL, WELL, WELL), (WELL, WELL._replace(label="dog")))
    assert finding.message.startswith("1 box told twice")
    assert [suspect.id for suspect in finding.records] == ["0"]


def test_tiny(found):
    label = (Box(1, 1, 3, 20, "cat"), WELL)
    [finding] = found(label)
    assert finding.message.startswith("1 box smaller than 3 pixels a side")
    assert found(label, tiny=2.0) == []


def test_those_with_the_most_faults_come_first(found):
    flat = Box(5, 5, 5, 9, "cat")
    [finding] = found((WELL,), (WELL, flat), (flat, flat._replace(y2=20)))
    assert [suspect.id for suspect in finding.records] == ["2", "1"]


def test_other_labels_and_pictures_that_are_gone_are_passed_over(tmp_path):
    records = [
        Record("a", tmp_path / "gone.png", (Box(500, 0, 600, 9, "cat"),)),
        Record("b", b"no picture", (Box(500, 0, 600, 9, "cat"),)),
        Record("c", "a text", (Span(0, 1, "x"),)),
        Record("d", "a text", "a"),
        Record("e", "a text", None),
    ]
    assert box_faults.find(records) == []


def test_every_check_copes_with_boxes(picture):
    raw = picture([[0] * 40] * 30)
    labels = [(WELL,), (WELL._replace(label="Cat "),), (), (WELL, Box(5, 5, 5, 9, "dog"))]
    records = [Record(str(at), raw, label, "train" if at else "test") for at, label in enumerate(labels)]
    checks = [finding.check for finding in _audit.findings(records, {"digests": {str(at): "one" for at in range(4)}})]
    assert {"box_faults", "conflicting_labels", "exact_duplicates", "imbalance", "label_spelling"} <= set(checks)


def test_blood_cells(real):
    from lepton.formats import pascal_voc

    [finding] = box_faults.find(pascal_voc.read(real("bccd")).records)
    assert finding.message.startswith("2 boxes without area, in 2 records")
    assert len(finding.records) == 2

import pytest

from lepton.checks import entity_faults
from lepton.core.types import Box, Record, Span


def told(findings):
    return [
        (finding.severity, [(suspect.id, suspect.suggested) for suspect in finding.records]) for finding in findings
    ]


def record(name, text, *spans):
    return Record(name, text, tuple(Span(*span) for span in spans))


def test_outside_and_empty(texts):
    records = [
        record("fine", "Ann ran", (0, 3, "PER")),
        record("long", "Ann ran", (0, 3, "PER"), (4, 9, "X")),
        record("empty", "Ann ran", (2, 2, "X")),
        record("before", "Ann ran", (-1, 3, "X")),
    ]
    [finding] = entity_faults.find(records)
    assert told([finding]) == [("error", [("long", "PER[0:3]"), ("empty", "no entity"), ("before", "no entity")])]
    assert finding.message == "3 records have entities that are empty or lie outside of the text."


def test_overlaps_white_space_and_words_cut(texts):
    records = [
        record("over", "Ann Lee ran", (0, 7, "PER"), (4, 7, "PER")),
        record("beside", "Ann Lee ran", (0, 3, "PER"), (4, 7, "PER")),
        record("blank", "Ann  ran", (0, 5, "PER")),
        record("only", "Bob  ran", (3, 5, "X")),
        record("cut", "Annabel ran", (0, 3, "PER")),
        record("mark", "Ann's car", (0, 3, "PER")),
    ]
    assert told(entity_faults.find(records)) == [
        ("warning", [("over", None)]),
        ("warning", [("blank", "PER[0:3]"), ("only", "no entity")]),
        ("info", [("cut", None)]),
    ]


def test_scripts_without_spaces_cut_no_words():
    assert entity_faults.find([record("a", "\u9ed1\u8c79\u961f\u7684\u9632\u5b88", (0, 3, "TEAM"))]) == []


def test_words_that_are_forgotten_once():
    tagged = [record(f"t{n}", f"He saw New York {n}", (7, 15, "LOC")) for n in range(9)]
    missed = record("missed", "Ann saw New York, and New Yorkers", (0, 3, "PER"))
    finding = entity_faults.find([*tagged, missed])[0]
    assert told([finding]) == [("info", [("missed", "PER[0:3], LOC[8:16]")])]
    assert "'New York' (1)" in finding.message
    assert entity_faults.find([*tagged[:3], missed]) == [], "four places are too few to tell"
    often = [record(f"m{n}", f"So New York {n}") for n in range(9)]
    assert entity_faults.find([*tagged, *often]) == [], "half of the places say nothing"


def test_a_longer_entity_holds_its_words():
    inner = [record(f"t{n}", f"in York {n}", (3, 7, "LOC")) for n in range(9)]
    assert entity_faults.find([*inner, record("x", "in New York City", (3, 16, "LOC"))]) == []


@pytest.mark.parametrize(
    "label", ["a class", None, (), (Box(0, 0, 1, 1, "x"),)], ids=["class", "nothing", "no entity", "boxes"]
)
def test_other_labels_have_no_such_faults(label):
    assert entity_faults.find([Record("a", "some text", label), Record("b", b"bytes", label)]) == []


def test_snips_has_blank_edges_and_cut_words(real):
    from lepton.formats import snips

    found = entity_faults.find(snips.read(real("snips"), label="slots").records)
    assert [(finding.severity, len(finding.records)) for finding in found[:2]] == [("warning", 6), ("info", 2)]
    assert {suspect.id for suspect in found[1].records} == {
        "GetWeather/validate_GetWeather.json#29",
        "PlayMusic/validate_PlayMusic.json#47",
    }

from dataclasses import replace

from lepton.checks._content import digests
from lepton.mending.mended import mend, version


def test_a_correction_finds_its_content_wherever_it_stands(records, correction):
    moved = [replace(records[1], id="b#7"), replace(records[1], id="b#8", split="test"), records[0]]
    found = mend(moved, digests(moved), {item.content: item for item in [correction()]})
    assert [record.label for record in found.records] == ["person", "person", "place"]
    assert found.given == {"b#7": "place", "b#8": "place"}
    assert found.judged == {"b#7", "b#8"}
    assert not found.lost
    assert [record.label for record in moved] == ["place"] * 3


def test_a_changed_content_is_left_alone_and_said(records, correction):
    changed = [replace(record, raw=f"{record.raw}?") for record in records]
    item = correction()
    found = mend(changed, digests(changed), {item.content: item})
    assert list(found.records) == changed
    assert found.lost == [item]


def test_confirming_a_label_judges_it_and_changes_nothing(records, contents, correction):
    item = correction("a#1", "place")
    found = mend(records, contents, {item.content: item})
    assert (found.given, found.judged) == ({}, {"a#1"})


def test_a_version_tells_contents_labels_splits_and_corrections_apart(records, contents, correction):
    first = version(records, contents)
    assert version(records[::-1], contents) == first
    changed = [replace(records[0], raw="!"), replace(records[0], label="x"), replace(records[0], split="test")]
    others = [version([other, *records[1:]], digests([*records, other])) for other in changed]
    corrected = [version(records, contents, [item]) for item in (correction(), correction(label="thing"))]
    assert len({first, *others, *corrected}) == 6
    assert version(records, contents, [correction(who="bo")]) == corrected[0]

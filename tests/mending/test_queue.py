import csv
import io
from dataclasses import replace

import pytest

from lepton.checks._finding import Finding, Suspect
from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.mending import queue
from lepton.mending.queue import Answer


def test_suspects_of_labels_come_once_the_most_suspect_first(records, findings, contents):
    first, second = queue.doubts(records, findings, contents)
    assert (first.record.id, first.score, first.suggested) == ("a#1", 0.9, "person")
    assert first.why == "label spelling, conflicting labels"
    assert (second.record.id, second.suggested, second.why) == ("a#2", "place", "conflicting labels")


def test_a_table_comes_back_as_answers(records, findings, contents):
    rows = list(csv.DictReader(io.StringIO(queue.table(queue.doubts(records, findings, contents)))))
    assert tuple(rows[0]) == queue.COLUMNS
    assert [row["correction"] for row in rows] == ["", ""]
    assert rows[0]["shown"] == "who sailed it"
    rows[0] |= {"correction": "person", "who": "bo", "reason": "who, not where"}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, queue.COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    [answer] = queue.answers(stream.getvalue(), "ada")
    assert answer == Answer("a#1", contents["a#1"], "person", "bo", "who, not where", written=True)
    [correction] = queue.taken([answer], records, contents).corrections
    assert (correction.given, correction.label, correction.content) == ("place", "person", contents["a#1"])


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_may_part_columns_otherwise(mark):
    text = "id,who,correction,content\nx,,y,z\n".replace(",", mark)
    assert queue.answers(text, "ada") == [Answer("x", "z", "y", "ada", written=True)]


def test_who_is_not_named_in_the_table_is_named_beside_it():
    assert queue.answers("id,correction,content\nx,y,z\n", "ada")[0].who == "ada"
    with pytest.raises(UserError, match="no table of corrections.*id, text"):
        queue.answers("id,text\n1,2\n")


def test_answers_that_do_not_hold_are_refused_with_the_reason(records, contents):
    changed = [replace(records[0], raw="where was the sea"), *records[1:]]
    now = {**contents, "a#0": "another"}
    said = [
        Answer("a#0", contents["a#0"], "person", "ada", written=True),
        Answer("gone", "x", "person", "ada", written=True),
        Answer("a#1", contents["a#1"], "persn", "ada", written=True),
        Answer("a#2", contents["a#2"], "person", "ada", written=True),
    ]
    found = queue.taken(said, changed, now)
    assert [item.record for item in found.corrections] == ["a#2"]
    reasons = dict(found.refused)
    assert "not what was looked at" in reasons["a#0"]
    assert "no such record" in reasons["gone"]
    assert "'person'" in reasons["a#1"] or "persn" in reasons["a#1"]
    assert len(queue.taken(said[2:], changed, now, new_labels=True).corrections) == 2


def test_entities_go_there_and_back(entities, contents):
    suspects = [Suspect("b#0", 0.7, "", "person[0:4], person[9:11]"), Suspect("b#1", 0.6, "", "PERSON")]
    first, second = queue.doubts(entities, [Finding("label_spelling", "error", "", "", suspects)], contents)
    assert first.suggested == (Span(0, 4, "person"), Span(9, 11, "person"))
    assert second.suggested is None
    text = queue.table([first]).replace(",label spelling,,", ',label spelling,"person[9:11]",')
    [answer] = queue.answers(text, "ada")
    [correction] = queue.taken([answer], entities, contents).corrections
    assert correction.label == (Span(9, 11, "person"),)


def test_media_are_shown_by_their_path(tmp_path):
    picture = Record("x.png", tmp_path / "x.png", "cat")
    [row] = csv.DictReader(io.StringIO(queue.table([queue.Doubt(picture, 1.0, None, "", "c")])))
    assert row["shown"] == str(tmp_path / "x.png")

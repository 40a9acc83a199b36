import sqlite3
from contextlib import closing

import pytest

from lepton.core.errors import UserError
from lepton.core.types import Span
from lepton.mending.corrections import Correction, add, history, standing, undo


def test_what_is_added_is_read_with_who_when_and_why(tmp_path, correction):
    path = tmp_path / "it's here" / "fixed?.sqlite"
    path.parent.mkdir()
    assert add(path, [correction(why="it asks who")]) == 1
    [found] = history(path)
    assert (found.record, found.given, found.label, found.who, found.why) == (
        *("a#1", "place", "person"),
        *("ada", "it asks who"),
    )
    assert found.number == 1
    assert found.at.endswith("+00:00")
    assert not found.undone


def test_entities_and_the_lack_of_a_label_survive(tmp_path):
    spans = (Span(0, 4, "person"), Span(9, 11, "person"))
    add(tmp_path / "c", [Correction("b#0", "x", None, spans, "ada"), Correction("b#1", "y", spans, (), "ada")])
    first, second = history(tmp_path / "c")
    assert (first.given, first.label, second.label) == (None, spans, ())
    assert isinstance(first.label[0], Span)


def test_the_latest_that_was_not_undone_stands(tmp_path, correction):
    path = tmp_path / "c"
    add(path, [correction(label="person"), correction(label="thing")])
    assert [item.label for item in standing(path).values()] == ["thing"]
    assert undo(path, 2, who="bo", why="ada was right").label == "thing"
    assert [item.label for item in standing(path).values()] == ["person"]
    assert "bo ada was right" in history(path)[1].undone
    with pytest.raises(UserError, match="undone already"):
        undo(path, 2, who="bo")
    with pytest.raises(UserError, match="no correction 7"):
        undo(path, 7, who="bo")
    with pytest.raises(UserError, match="Who undoes it"):
        undo(path, 1, who=" ")


@pytest.mark.parametrize(
    "order", ["DELETE FROM corrections", "UPDATE corrections SET label = '1'", "DELETE FROM undone"]
)
def test_nothing_in_it_can_be_changed(tmp_path, correction, order):
    path = tmp_path / "c"
    add(path, [correction(), correction()])
    undo(path, 1, who="bo")
    with closing(sqlite3.connect(path)) as file, pytest.raises(sqlite3.IntegrityError, match="never changed"):
        file.execute(order)
    assert len(history(path)) == 2


def test_reading_leaves_the_file_as_it_is(tmp_path, correction):
    path = tmp_path / "c"
    add(path, [correction()])
    before = path.read_bytes(), path.stat().st_mtime_ns
    standing(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [item.name for item in tmp_path.iterdir()] == ["c"]


def test_all_or_none_are_added(tmp_path, correction):
    path = tmp_path / "c"
    add(path, [correction()])
    with pytest.raises(UserError, match="no author"):
        add(path, [correction(), correction(who="  ")])
    assert len(history(path)) == 1


def test_other_files_are_refused(tmp_path, correction):
    (tmp_path / "text").write_text("cat,dog\n" * 100)
    with closing(sqlite3.connect(tmp_path / "other")) as file:
        file.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(UserError, match="cannot be used for corrections.*not a database"):
        add(tmp_path / "text", [correction()])
    with pytest.raises(UserError, match="another program's"):
        standing(tmp_path / "other")
    with pytest.raises(UserError, match="There are no corrections"):
        standing(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    with pytest.raises(UserError, match="unable to open"):
        add(tmp_path / "no folder" / "c", [correction()])

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.formats import _csv


def rows(text, mark):
    found, notes = _csv.rows(io.StringIO(text, newline="").readlines(), mark)
    return list(found), notes


CELL = st.text(st.characters(blacklist_characters="\0\ue000", blacklist_categories=["Cs"]), max_size=12)


@given(st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=8), st.sampled_from(",;|"))
def test_what_the_csv_module_writes_comes_back(cells, mark):
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=mark).writerows(cells)
    assert rows(stream.getvalue(), mark) == (cells, [])


@given(st.text(max_size=60))
def test_any_text_has_rows(text):
    found, _ = rows(text.replace("\ue000", ""), ",")
    assert all(found)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_found(mark):
    text = "".join(mark.join([f"some text {n}", "label"]) + "\n" for n in range(9))
    assert _csv.separator(text) == mark
    assert _csv.separator("no columns\nat all\n") is None


def test_commas_in_texts_do_not_hide_tabs():
    text = "".join(f"one, two{', three' * (n % 3)}\tlabel\n" for n in range(9))
    assert _csv.separator(text) == "\t"


def test_fields_over_the_limit_of_the_csv_module(monkeypatch):
    before = csv.field_size_limit()
    found, _ = rows(f"{'x' * 300_000},y\n", ",")
    assert len(found[0][0]) == 300_000
    assert csv.field_size_limit() == before


def test_quotes_that_never_close():
    assert rows('a\t"b\nc\td\n', "\t")[0] == [["a", '"b'], ["c", "d"]]
    found, notes = rows('a,b\nc,"cut o', ",")
    assert found == [["a", "b"], ["c", "cut o"]]
    assert "cut off" in notes[0]
    with pytest.raises(UserError, match="never closed"):
        rows('a,"b\n' + "c,d\n" * 300, ",")


def test_blank_lines_are_counted():
    assert rows("a,b\n\n\nc,d\n", ",") == ([["a", "b"], ["c", "d"]], ["2 blank lines passed over"])

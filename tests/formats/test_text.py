import codecs
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.formats import _text

TEXT = "naïve café\nsecond “line”\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (TEXT.encode(), TEXT),
        (codecs.BOM_UTF8 + TEXT.encode(), TEXT),
        (TEXT.encode("utf-16"), TEXT),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), TEXT),
        (TEXT.encode("utf-32"), TEXT),
        ("plain words\n".encode("utf-16-le"), "plain words\n"),
        ("plain words\n".encode("utf-16-be"), "plain words\n"),
        (TEXT.encode("cp1252"), TEXT),
        ("café\n".encode("latin-1"), "café\n"),
        (b"nothing \x81 there\n", "nothing \x81 there\n"),
        ("café\n".encode() + "café\n".encode("latin-1"), "café\ncafé\n"),
    ],
)
def test_any_encoding_gives_the_same_text(data, text):
    assert _text.decode(data)[0] == text


def test_what_is_odd_is_noted_and_what_is_not_is_not():
    assert _text.decode(TEXT.encode())[1] == []
    assert _text.decode(b"caf\xe9\n\xe9t\xe9\n")[1] == ["2 lines not in UTF-8, read as cp1252 or Latin-1"]
    assert _text.decode(b"a\0b") == ("ab", ["1 NUL character left out"])
    assert _text.decode("x\n".encode("utf-16"))[1] == ["read as utf-16-le"]


@given(st.binary())
def test_decoding_never_fails(data):
    text, notes = _text.decode(data)
    assert isinstance(text, str)
    assert "\0" not in text
    assert all(notes)


@given(st.text().filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_utf8_comes_back(text):
    data = text.encode()
    if not _text.utf16_without_mark(data):
        assert _text.decode(data) == (text, [])


def test_lines_end_at_line_ends_only():
    assert _text.lines("a\r\nb\rc\x0b\u2028d\n\ne") == ["a", "b", "c\x0b\u2028d", "", "e"]
    assert _text.lines("") == []


def test_load_unpacks_and_refuses(put, tmp_path):
    assert _text.load(put("a.csv.gz", gzip.compress(b"x,y\n")))[0] == "x,y\n"
    for path in (put("e.csv", b" \n"), put("cut.csv.gz", gzip.compress(b"x" * 999)[:-9]), tmp_path / "none", tmp_path):
        with pytest.raises(UserError):
            _text.load(path)


def test_head_gives_nothing_for_what_is_no_text(put, tmp_path, png):
    assert _text.head(put("a.txt", "words\n")) == "words\n"
    for path in (
        put("a.png", png()),
        put("a.gz", b"no gzip"),
        tmp_path,
        tmp_path / "none",
        put("b", bytes(range(32)) * 9),
    ):
        assert _text.head(path) == ""

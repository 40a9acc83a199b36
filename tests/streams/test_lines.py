import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core.errors import BadInput, UserError
from lepton.streams import lines
from lepton.streams._flow import Item


def taken(source: Any) -> list[Item]:
    found: list[Item] = []
    while (items := source.take()) is not None:
        found += items
    source.close()
    return found


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Item]]:
    def run(data: bytes, modality: str = "text") -> list[Item]:
        (tmp_path / "in").write_bytes(data)
        return taken(lines.source(str(tmp_path / "in"), modality))

    return run


def test_lines_are_texts_and_their_numbers_are_ids(read: Callable[..., list[Item]]) -> None:
    found = read(b"one\r\n\n two \nthree")
    assert [(item.id, item.raw) for item in found] == [("1", "one"), ("3", " two "), ("4", "three")]


def test_objects_with_an_input_say_what_they_are(read: Callable[..., list[Item]]) -> None:
    found = read(b'{"input": "one", "id": "x7"}\n{"id": 3, "input": "two"}\n{"input": "three"}\n{"other": 1}\n')
    assert [(item.id, item.raw) for item in found] == [
        ("x7", "one"),
        ("3", "two"),
        ("3", "three"),
        ("4", '{"other": 1}'),
    ]


def test_media_are_files_or_base64(read: Callable[..., list[Item]]) -> None:
    packed = base64.b64encode(b"\0\1\2").decode()
    found = read(f'a b.wav\n{{"input": "{packed}"}}\n{{"input": "*"}}\n'.encode(), "audio")
    assert [item.raw for item in found[:2]] == [Path("a b.wav"), b"\0\1\2"]
    assert isinstance(found[2].raw, BadInput)


def test_what_is_no_line_of_text_is_bad(read: Callable[..., list[Item]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 20)
    found = read(b'\xff\n{"input": 3}\n' + b"x" * 100_000 + b"\nlast\n")
    assert [item.id for item in found] == ["1", "2", "3", "4"]
    assert [isinstance(item.raw, BadInput) for item in found] == [True, True, True, False]
    assert "too long" in str(found[2].raw)
    assert len(found[2].own) < 100_000


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))),
    piece=st.integers(1, 9),
)
def test_lines_are_the_same_however_they_are_cut(
    read: Callable[..., list[Item]], monkeypatch: pytest.MonkeyPatch, texts: list[str], piece: int
) -> None:
    monkeypatch.setattr(lines, "_PIECE", piece)
    plain = [text for text in texts if text.encode().strip() and not text.lstrip().startswith("{")]
    assert [item.raw for item in read("\n".join(plain).encode())] == plain


def test_all_lines_that_came_are_taken_together_and_a_half_one_waits() -> None:
    reader, writer = os.pipe()
    source = lines._Source(reader, "text", None)
    os.write(writer, b"one\ntwo\nthr")
    assert [item.raw for item in source.take() or ()] == ["one", "two"]
    os.write(writer, b"ee\n")
    assert [item.raw for item in source.take() or ()] == ["three"]
    os.close(writer)
    assert (source.take(), source.take()) == ([], None)
    source.close()


def test_a_source_without_anything_gives_nothing_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE", 0.01)
    reader, writer = os.pipe()
    source = lines._Source(reader, "text", None)
    assert source.take() == []
    os.close(writer)
    source.close()


def test_lines_that_cannot_be_read_are_put_aside(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\xff\xfe\n")
    source = lines.source(str(tmp_path / "in"), "text", dead=str(tmp_path / "dead"))
    (item,) = source.take() or ()
    source.bury(item, "no text")
    source.close()
    assert (tmp_path / "dead").read_bytes() == b"\xff\xfe\n"


def test_answers_are_appended_a_line_each(tmp_path: Path) -> None:
    for number in range(2):
        sink = lines.sink(str(tmp_path / "out"))
        sink.write(str(number), {"answer": ["Zoë"]})
        assert len((tmp_path / "out").read_bytes().splitlines()) == number + 1, "it is there when `write` returns"
        sink.close()
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert found == [{"id": "0", "answer": ["Zoë"]}, {"id": "1", "answer": ["Zoë"]}]


def test_files_that_cannot_be_opened_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent cannot be opened"):
        lines.source(str(tmp_path / "absent"), "text")
    with pytest.raises(UserError, match="cannot be opened"):
        lines.sink(str(tmp_path))

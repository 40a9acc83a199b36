from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

import numpy as np
import pytest

from lepton.core.errors import BadInput, Faults, UserError
from lepton.core.progress import Silent
from lepton.runtime.app import App
from lepton.streams import _flow
from lepton.streams._flow import Item


class Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class Ends:
    """A source of given takes and a sink, which write down in order what they hear."""

    def __init__(self, takes: list[Sequence[Item]]) -> None:
        self.takes = takes
        self.heard: list[tuple[str, str, Any]] = []

    def take(self) -> Sequence[Item] | None:
        return self.takes.pop(0) if self.takes else None

    def done(self, item: Item) -> None:
        self.heard.append(("done", item.id, None))

    def bury(self, item: Item, reason: str) -> None:
        self.heard.append(("bury", item.id, reason))

    def write(self, id: str, told: Mapping[str, Any]) -> None:
        self.heard.append(("write", id, told))

    def close(self) -> None: ...


def run(app: App, ends: Ends, stop: Event | None = None, *, full: bool = False) -> tuple[int, list[str]]:
    told = Told()
    return _flow.flow(app, (ends, ends), stop=stop or Event(), full=full, progress=told), told.lines


def test_each_answer_is_written_before_its_item_is_done(text_app: App) -> None:
    ends = Ends([[Item("a", "rate"), Item("b", "my card")], [], [Item("c", b"lost")]])
    count, lines = run(text_app, ends)
    assert count == 3
    assert [one[:2] for one in ends.heard] == [(verb, name) for name in "abc" for verb in ("write", "done")]
    assert ends.heard[0][2] == {"answer": text_app.brief(text_app.predict("rate"))}
    assert lines[-1].startswith("3 answered, 0 put aside in")


def test_what_cannot_be_read_is_told_and_buried(text_app: App) -> None:
    ends = Ends([[Item("a", b"\xff"), Item("b", "rate"), Item("c", BadInput("It is odd"))]])
    count, lines = run(text_app, ends)
    assert count == 1
    assert [one[:2] for one in ends.heard] == [
        *(("write", "a"), ("bury", "a")),
        *(("write", "b"), ("done", "b")),
        *(("write", "c"), ("bury", "c")),
    ]
    assert "UTF-8" in ends.heard[0][2]["error"]
    assert ends.heard[-1][2] == "It is odd."
    assert lines[1] == "put aside c: It is odd."


def test_what_was_taken_when_the_signal_comes_is_answered_and_nothing_more(text_app: App) -> None:
    stop = Event()

    class Stopping(Ends):
        def take(self) -> Sequence[Item] | None:
            stop.set()
            return super().take()

    ends = Stopping([[Item("a", "rate"), Item("b", "card")], [Item("c", "never")]])
    assert run(text_app, ends, stop)[0] == 2
    assert len(ends.takes) == 1


def test_answers_are_brief_unless_they_shall_be_full(audio_app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    from lepton.tasks import audio_classification

    monkeypatch.setattr(audio_classification, "brief", lambda answer: answer[:1])
    for full, length in ((False, 1), (True, 3)):
        ends = Ends([[Item("a", (_golden(audio_app)))]])
        run(audio_app, ends, full=full)
        assert len(ends.heard[0][2]["answer"]) == length


def _golden(app: App) -> Any:
    return app.bundle.path("golden/inputs/0.wav")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("-", ("lines", "-", {})),
        ("-?dead=bad.jsonl", ("lines", "-", {"dead": "bad.jsonl"})),
        ("folder:a/b?settle=2&dead=x", ("folder", "a/b", {"settle": "2", "dead": "x"})),
        ("redis://:p@host:1/jobs?group=g", ("redis", "//:p@host:1/jobs", {"group": "g"})),
    ],
)
def test_places_are_taken_apart(text: str, parts: Any) -> None:
    assert _flow.place(text) == parts


@pytest.mark.parametrize("text", ["inbox", "folder:", ""])
def test_a_place_of_another_form_is_told(text: str) -> None:
    with pytest.raises(UserError, match="folder:"):
        _flow.place(text)


def test_an_unknown_plugin_and_unknown_settings_are_told(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="Did you mean 'folder'"):
        _flow.source("foldr:x", "text")
    with pytest.raises(Faults, match=r"folder source.setle.*Did you mean 'settle'"):
        _flow.source(f"folder:{tmp_path}?setle=2", "text")
    with pytest.raises(Faults, match="must be a number"):
        _flow.source(f"folder:{tmp_path}?settle=soon", "text")


def test_numbers_of_numpy_become_json() -> None:
    assert _flow.encoded({"a": np.float32(0.5), "b": np.arange(2)}) == b'{"a":0.5,"b":[0,1]}'


def test_passwords_are_not_shown() -> None:
    assert _flow.shown("redis://me:secret@host:1/in?group=a@b") == "redis://host:1/in?group=a@b"

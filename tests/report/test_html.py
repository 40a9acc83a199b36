import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lepton.report import html

VOID = {"col", "meta", "link", "img", "br", "hr"}


class Page(HTMLParser):
    """Holds that tags are closed in order, and gathers what a test asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.outside: list[str] = []
        self.tags: dict[str, int] = {}
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        known = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(str(known["id"]))
        self.outside += [
            str(known[name])
            for name in ("src", "href")
            if name in known and not str(known[name]).startswith(("data:", "#"))
        ]
        if tag == "img":
            assert known.get("alt")
        if tag == "svg":
            assert known.get("aria-label") or known.get("aria-hidden")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_whole_run_of_each_kind(each_kind: Any) -> None:
    text = html.render(each_kind.go())
    page = Page(text)
    sections = [
        "contract",
        "scores",
        "steps",
        "learning",
        "tried",
        "data",
        "answers",
        "mistakes",
        "slices",
        "parity",
        "provenance",
    ]
    assert page.sections == sections
    assert {"image": "data:image/png", "audio": "data:audio/wav", "text": "what is &lt;script"}[each_kind.kind] in text


def test_what_comes_from_the_data_is_escaped(each_kind: Any) -> None:
    page = html.render(each_kind.go())
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_nothing_is_fetched_from_elsewhere(each_kind: Any) -> None:
    text = html.render(each_kind.go())
    assert Page(text).outside == []
    assert not re.search(r"@import|url\(", text)


@pytest.mark.parametrize("until", ["prepare", "train", "compress", "evaluate"])
def test_sections_that_were_not_reached_are_left_out(fake: Any, until: str) -> None:
    page = Page(html.render(fake.go(until=until)))
    assert ("scores" in page.sections) == (until == "evaluate")
    assert page.sections[-1] == "provenance"


@pytest.mark.parametrize(
    ("leaks", "said"),
    [
        ({"n": 2, "metrics": {"accuracy": {"value": 0.924, "low": 0.9, "high": 0.95}}}, "92.4 % (90.0 % to 95.0 %)"),
        ({"n": 1, "metrics": {"accuracy": {"value": 0.9}}}, "Without the test record that also stands in"),
        ({"n": 6, "metrics": None}, "Every test record also stands in the given train split."),
    ],
)
def test_scores_without_leaked_records_are_said(fake: Any, leaks: dict[str, Any], said: str) -> None:
    assert said in html.render(fake.go(evaluate={"leaks": leaks})).replace("\N{NO-BREAK SPACE}", " ")


def test_no_leaks_are_not_spoken_of(fake: Any) -> None:
    assert "given train split" not in html.render(fake.go(evaluate={"leaks": {"n": 0, "metrics": None}}))


def test_a_refused_run(fake: Any) -> None:
    text = html.render(fake.refuse())
    assert "Nearest candidates" in text
    assert "not kept" in text
    assert "scores" not in Page(text).sections


def test_a_run_that_only_began(fake: Any) -> None:
    assert Page(html.render(fake.folder)).sections == ["provenance"]


def test_a_missing_or_foreign_preview_is_said(fake: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    example = {"id": "a", "label": "cat", "kind": "image", "file": "../../../secret.png"}
    page = html.render(fake.go(prepare={"examples": [example]}))
    assert "left out" in page


def test_entities_are_marked(fake: Any) -> None:
    item = {"id": "a", "kind": "text", "text": "Ada met Bo", "label": [[0, 3, "person"]]}
    answer = [{"start": 8, "end": 10, "entity_group": "place", "word": "Bo", "score": 0.7}]
    wrong = {**item, "given": [[0, 3, "person"]], "answer": answer, "score": 0.7}
    details = {
        "classes": ["person"],
        "per_class": [{"label": "person", "precision": 0, "recall": 0, "f1": 0, "support": 1}],
    }
    page = html.render(
        fake.go(
            prepare={"examples": [item]},
            evaluate={"mistakes": [wrong], "details": {**details, "confusion": None, "reliability": None}},
        )
    )
    assert "<mark>Ada<small>person</small></mark>" in page
    assert "<mark>Bo<small>place</small></mark>" in page


def test_many_classes_give_pairs_instead_of_a_heat_map(fake: Any) -> None:
    count = 31
    names = [f"class {index}" for index in range(count)]
    matrix = [[5 if row == column else int(column == row + 1) for column in range(count)] for row in range(count)]
    details = {"classes": names, "per_class": [], "confusion": matrix, "reliability": []}
    page = html.render(fake.go(evaluate={"details": details}))
    assert "Most often confused" in page


def test_it_is_written_with_its_figures(fake: Any, tmp_path: Path) -> None:
    page = html.write(fake.go())
    assert page == fake.folder / "report" / "index.html"
    assert json.loads((page.parent / "report.json").read_text())["status"] == "shipped"
    assert html.write(fake.folder, tmp_path / "there") == tmp_path / "there" / "index.html"

"""The section about what compression changed: its sentence, its picture, its tables and the records shown."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.report import _charts, _damage, html
from lepton.report._charts import Move

EVIL = "<script>alert('x')</script>"
SHARES = st.floats(0, 1)
COUNTS = {"right_to_wrong": 7, "wrong_to_right": 5, "wrong_to_wrong": 0, "unchanged": 988}


def row(label: str, before: float, after: float, **more: Any) -> dict[str, Any]:
    change = after - before
    ends = {"low": change - 0.1, "high": change + 0.1, "lost": int(change < 0), "won": int(change > 0)}
    known = {"label": label, "n": 100, "before": before, "after": after, "change": change}
    return {**known, **ends, "p": 1.0, "significant": False, **more}


def changed(kind: str, direction: str) -> dict[str, Any]:
    shown = {"text": f"what is {EVIL}?"} if kind == "text" else {"file": f"previews/one.{_suffix(kind)}"}
    answers = [[{"label": label, "score": score}] for label, score in (("cat", 0.6), (EVIL, 0.934))]
    both = {"before": answers[0], "after": answers[1], "given": "cat", "direction": direction}
    return {"id": f"{EVIL}#{direction}", "label": "cat", "kind": kind, **shown, **both}


def _suffix(kind: str) -> str:
    return "png" if kind == "image" else "wav"


def facts(kind: str = "image", **changes: Any) -> dict[str, Any]:
    return {
        "n": 1000,
        "counts": COUNTS,
        "classes": [row("cat", 0.9, 0.9), row("dog", 0.8, 0.5, significant=True, lost=30), row(EVIL, 0.7, 0.8)],
        "lost": ["dog"],
        "groups": [{"name": "speaker", "rows": [row(EVIL, 0.9, 0.8)]}],
        "slices": [{"name": "length (characters)", "rows": [row("length 3 to 6", 0.9, 0.8)]}],
        "calibration": {"before": 0.021, "after": 0.04, "refitted": 0.018, "temperature": 1.318},
        "changed": [changed(kind, "right_to_wrong"), changed(kind, "wrong_to_right")],
        **changes,
    }


def section(page: str) -> str:
    found = re.search(r'<section id="damage">.*?</section>', page, re.DOTALL)
    return found.group().replace("\N{NO-BREAK SPACE}", " ") if found else ""


def test_the_sentence_tells_directions_and_losses() -> None:
    none = _damage.sentence(facts(lost=[]))
    ways = "12 of 1,000 answers changed: 7 right ones became wrong, 5 wrong ones became right"
    assert none == f"{ways}; no class lost significantly."
    assert _damage.sentence(facts()) == f"{ways}; one class lost significantly: dog."
    many = _damage.sentence(facts(lost=[str(index) for index in range(7)]))
    assert many.endswith("; 7 classes lost significantly: 0, 1, 2, 3, 4 and 2 more.")


def test_the_sentence_knows_one_and_none() -> None:
    one = {"right_to_wrong": 1, "wrong_to_right": 0, "wrong_to_wrong": 2, "unchanged": 997}
    said = _damage.sentence(facts(counts=one, lost=[]))
    assert "3 of 1,000 answers changed: 1 right one became wrong, 2 wrong ones became wrong in another way;" in said
    still = {**dict.fromkeys(COUNTS, 0), "unchanged": 1000}
    assert _damage.sentence(facts(counts=still, lost=[])) == "None of 1,000 answers changed."


def test_the_section_of_each_kind(each_kind: Any) -> None:
    text = section(html.render(each_kind.go(compress={"damage": facts(each_kind.kind)})))
    assert "<script" not in text
    assert "calibration error was 2.1 % before and 4.0 % after compression; it is 1.8 % with a temp" in text
    assert "Right answers that became wrong" in text
    assert "Wrong answers that became right" in text
    assert "<b>cat (60.0 %)</b>" in text
    assert "by length (characters)" in text
    assert "by speaker" in text
    assert "−30.0 (−40.0 to −20.0)" in text
    assert text.count("lost significantly</span>") == 1
    media = {"image": "data:image/png", "audio": "<audio", "text": "what is &lt;script"}[each_kind.kind]
    assert text.count(media) == 2


def test_the_worst_class_comes_first(fake: Any) -> None:
    text = section(html.render(fake.go(compress={"damage": facts()})))
    assert re.findall(r'<text class="name" [^>]*>([^<]*)<', text)[:2] == ["dog", "cat"]
    assert re.findall(r'<th scope="row">([^<]*)</th>', text)[:2] == ["dog", "cat"]


def test_at_most_twenty_classes_are_drawn(fake: Any) -> None:
    rows = [row(f"class {index}", 0.9, 0.9 - index / 100) for index in range(31)]
    text = section(html.render(fake.go(compress={"damage": facts(classes=rows)})))
    assert text.count("drift") == 20
    assert "The 20 worst of 31 classes." in text
    assert "class 30 −30.0 points" in text


def test_nothing_changed_draws_nothing(fake: Any) -> None:
    still = {**dict.fromkeys(COUNTS, 0), "unchanged": 1000}
    quiet = facts(counts=still, lost=[], classes=[row("cat", 0.9, 0.9)], changed=[])
    text = section(html.render(fake.go(compress={"damage": quiet})))
    assert "None of 1,000 answers changed." in text
    assert "<svg" not in text
    assert "became" not in text


def test_entities_are_marked_before_and_after(fake: Any) -> None:
    entities = [{"start": 0, "end": 3, "entity_group": "person", "word": "Ada", "score": 0.9}]
    item = {"id": "a", "label": [[0, 3, "person"]], "given": [[0, 3, "person"]], "kind": "text", "text": "Ada met Bo"}
    lost = {**item, "before": entities, "after": [], "direction": "right_to_wrong"}
    rows = [row("person", 0.9, 0.8, low=None, high=None)]
    text = section(html.render(fake.go(compress={"damage": facts(classes=rows, calibration=None, changed=[lost])})))
    assert text.count("<mark>Ada<small>person</small></mark>") == 2
    assert "calibration" not in text
    assert ">entities</th>" in text
    assert '<td class="n">−10.0</td>' in text


@pytest.mark.parametrize("told", [{}, {"damage": facts(), "winner": "onnx"}, {"damage": facts(), "winner": None}])
def test_it_is_left_out_where_nothing_was_compressed(fake: Any, told: dict[str, Any]) -> None:
    assert not section(html.render(fake.go(compress=told)))


@given(st.lists(st.builds(Move, st.text("a<&\"'", min_size=1), SHARES, SHARES, st.just("−1")), min_size=1, max_size=9))
def test_any_dumbbells_are_well_formed_and_inside(moves: list[Move]) -> None:
    svg = ElementTree.fromstring(_charts.dumbbells(moves, name="<&>", axis="recall"))
    places = [float(str(dot.get("cx"))) for dot in svg.iter("circle")]
    assert len(places) == 2 * len(moves)
    assert all(0 <= place <= _charts.WIDTH for place in places)

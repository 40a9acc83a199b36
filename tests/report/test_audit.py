import base64
import io
import re
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from PIL import Image

from lepton.core.types import Box, Mask, Record, Span
from lepton.report import audit

EVIL = "<script>alert('x')</script>"
HUE = (230, 20, 90)


class Like(NamedTuple):
    first: str
    second: str


def picture(side: int = 20) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((side, 2 * side, 3), HUE, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def sound(seconds: float = 0.1) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(round(8000 * seconds)), 8000, format="WAV")
    return stream.getvalue()


def finding(check: str = "outliers", *names: str, **more: Any) -> dict[str, Any]:
    records = [{"id": name, "score": 0.75, "given": None, "suggested": None} for name in names]
    told = {"check": check, "severity": "warning", "message": f"a message {EVIL}", "remedy": "a remedy"}
    return {**told, "records": records, **more}


def found(*findings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"records": 2, "notes": [], "bad": [], "findings": list(findings), **more}


def page(told: dict[str, Any], *records: Record, near: Any = ()) -> str:
    return audit.render(told, audit.Source("a <set>", records, near))


def test_whatever_comes_from_the_data_is_escaped() -> None:
    records = [Record(EVIL, f"what is {EVIL}?", EVIL), Record("b", EVIL, (Span(0, 8, EVIL),))]
    suspect = {"id": EVIL, "score": 1.0, "given": EVIL, "suggested": EVIL}
    histogram = {"kind": "histogram", "of": EVIL, "what": EVIL, "edges": [0, 1, 2], "own": [1, 0], "others": [0.5, 0.5]}
    odd = finding("shortcuts", "b", evidence=histogram)
    told = found(finding(EVIL, records=[suspect]), odd, notes=[EVIL], bad=[{"id": EVIL, "reason": EVIL}])
    text = page(told, *records, near=[Like(EVIL, "b")])
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 12
    assert "<title>a &lt;set&gt;: audit</title>" in text


def test_findings_stand_by_gravity_and_the_headline_counts_them() -> None:
    kinds = ("error", "warning", "warning", "info")
    text = page(found(*[finding(severity=kind) for kind in kinds]), Record("a", "text", "x"))
    assert "1 error, 2 warnings and 1 remark in 1 record" in text
    places = [text.index(f'<section id="{kind}">') for kind in ("error", "warning", "info")]
    assert places == sorted(places)
    assert "Nothing found in 1 record" in page(found(), Record("a", "text", "x"))


def test_classes_and_splits_are_counted() -> None:
    records = [Record(str(at), "t", "ab"[at % 3 == 0], ("train", "test")[at % 4 == 0]) for at in range(12)]
    text = page(found(), *records)
    assert "9 labels in train, 3 labels in test; 2 classes" in text
    assert '<td class="n">6</td><td class="n">2</td>' in text


def test_suspects_are_shown_as_what_they_are() -> None:
    records = [
        Record("a", picture(), "x"),
        Record("b", sound(), "x"),
        Record("c", "a text\n", "x"),
        Record("d", b"?", "x"),
    ]
    text = page(found(finding("outliers", "a", "b", "c", "d", "gone")), *records)
    assert re.search(r'<img src="data:image/png;base64,[^"]+" alt="record a"', text)
    assert '<audio controls preload="none" src="data:audio/wav;base64,' in text
    assert '<blockquote dir="auto">a text</blockquote>' in text
    assert "1 bytes that cannot be decoded" in text
    assert "not among the records" in text


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (None, None),
        ("cat", "cat"),
        ((Span(0, 2, "x"),), "1 entity"),
        ((Box(0, 0, 2, 2, "x"), Box(1, 1, 2, 2, "x")), "2 boxes"),
        (Mask("m.png", ((0, "road"), (1, "car"))), "a mask of 2 classes"),
    ],
)
def test_labels_are_told_in_few_words(label: Any, words: str | None) -> None:
    assert audit.Shown({"a": Record("a", picture(), label)}).card("a")["label"] == words


def test_a_label_stands_beside_what_it_should_perhaps_be() -> None:
    suspect = {"id": "a", "score": 0.93, "given": "cat", "suggested": "dog"}
    text = page(found(finding("label_errors", records=[suspect])), Record("a", "meow", "cat", "test"))
    assert re.search(r'<s>cat</s> → <b>dog</b> <span class="note">0.93</span> <span class="note">test</span>', text)


def test_duplicates_stand_side_by_side_with_their_like() -> None:
    records = [Record(name, f"text of {name}", "x") for name in "abcd"]
    near = [Like("a", "c"), Like("a", "b")]
    text = page(found(finding("near_duplicates", "b", "a", "d")), *records, near=near)
    [twin] = re.findall(r'<div class="twin">(.*?)</div></div>', text, re.DOTALL)
    assert re.findall(r'<span class="id">(\w)</span>', twin) == ["b", "a"]


@pytest.mark.parametrize(("severity", "cards"), [("warning", 30), ("info", 12)])
def test_what_is_shown_and_named_is_bounded(severity: str, cards: int) -> None:
    records = [Record(f"r{at}", f"text {at}", "x") for at in range(900)]
    text = page(found(finding("outliers", *[one.id for one in records], severity=severity)), *records)
    assert text.count("<figure>") == cards
    assert text.count('<td class="id long">') == 300
    assert "and 600 more, in audit.json" in text


def test_media_beyond_the_limit_are_named_and_not_shown() -> None:
    shown = audit.Shown({str(at): Record(str(at), picture(), "x") for at in range(9)}, limit=300)
    cards = [shown.card(str(at)) for at in range(9)]
    assert 0 < sum("uri" in card for card in cards) < 9
    assert cards[-1]["text"] == "left out, to keep this file small"


def test_large_media_are_made_small() -> None:
    shown = audit.Shown({"a": Record("a", picture(900), "x"), "b": Record("b", sound(40), "x")})
    assert shown.card("a")["uri"].startswith("data:image/jpeg")
    assert len(shown.card("b")["uri"]) < 100_000
    assert shown.card("a")["shape"] == (160, 80)


def test_boxes_are_drawn_where_they_are() -> None:
    label = (Box(200, 100, 400, 300, "x"), Box(1700, 850, 1700, 850, "without area"))
    uri = audit.Shown({"a": Record("a", picture(900), label)}).card("a")["uri"]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), int)
    blue = shown[:, :, 2] - shown[:, :, 0] > 0
    lines, columns = np.nonzero(blue[:60, :60])
    assert (lines.min(), columns.min()) == pytest.approx((100 * 160 / 1800, 200 * 160 / 1800), abs=2)
    assert (lines.max(), columns.max()) == pytest.approx((300 * 160 / 1800, 400 * 160 / 1800), abs=2)


def test_a_map_is_laid_on_a_picture_where_the_class_is_told() -> None:
    rows = ["0" * 32] * 31 + ["0" * 30 + "92"]
    evidence = {"kind": "map", "of": "x", "rows": rows}
    text = page(found(finding("shortcuts", "a", evidence=evidence)), Record("a", picture(), "x"))
    assert '<image class="tiny" href="data:image/png' in text
    [hot] = re.findall(r'<rect class="hot" x="([\d.]+)" y="([\d.]+)"', text)
    assert hot == ("300.0", "155.0")


def test_a_spectrum_marks_its_band_and_leaves_out_what_no_one_hears() -> None:
    hertz = np.geomspace(20, 8000, 49).tolist()
    own, others = [[level] * 40 + [-120.0] * 8 for level in (-40.0, -60.0)]
    evidence = {"kind": "spectrum", "of": "x", "hertz": hertz, "own": own, "others": others, "band": 7}
    text = page(found(finding("shortcuts", "a", evidence=evidence)), Record("a", sound(), "x"))
    assert text.count('class="spot"') == 1
    [points] = re.findall(r'<polyline class="line own" points="([^"]+)"', text)
    assert len(points.split()) == 40


def test_the_page_needs_nothing_from_outside(tmp_path: Any) -> None:
    records = [Record("a", picture(), "x"), Record("\udcff", "half a \ud800 pair", "x")]
    told = found(finding("outliers", "a", "\udcff"))
    path = audit.write(told, audit.Source("set", records), tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    assert path.name == "index.html"
    assert re.findall(r'(?:src|href)="(?!data:|#)', text) == []
    assert "<script" not in text

"""Clouds of points: well formed whatever they are given, with labels that neither collide nor lie outside."""

import itertools
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.report import _charts, _cloud, _labels
from lepton.report._cloud import Mark, Side
from lepton.report._labels import Box

HEIGHT = 340
KINDS = st.sampled_from(["kept", "missed", "faint", "quiet"])
NAMES = st.lists(st.text("ab <&\"'→(,)", min_size=1, max_size=90).filter(str.strip), min_size=1, max_size=1)
MARKS = st.builds(
    Mark,
    x=st.floats(0, 1e4),
    y=st.floats(0, 1),
    kind=KINDS,
    hint=st.text("<&\"'"),
    radius=st.floats(3, 13),
    names=NAMES | st.just([]),
    low=st.floats(0, 1) | st.none(),
)
LIMITS = st.lists(st.tuples(st.floats(0, 1e5), st.just("at most 20 ms")), max_size=2)


def plain(value: float) -> str:
    return f"{value:.3g}"


def sides(limits: list[tuple[float, str]] | None = None, ends: tuple[float, float] | None = None) -> tuple[Side, Side]:
    across = Side(name="<time>", form=plain, limits=limits or [])
    return across, Side(name="share", form=plain, log=False, more=True, ends=ends)


def drawn(marks: list[Mark], **given_: object) -> ElementTree.Element:
    limits, ends = given_.pop("limits", None), given_.pop("ends", None)
    return ElementTree.fromstring(_cloud.cloud(marks, sides(limits, ends), name="<cloud>", **given_))


def boxes(svg: ElementTree.Element) -> list[Box]:
    """The place of each label, by the widest its letters are."""
    return [_box(text) for text in svg.iter("text") if "label" in text.get("class", "")]


def _box(text: ElementTree.Element) -> Box:
    lines = list(text.iter("tspan")) or [text]
    width = _charts.LETTER * max(len(line.text or "") for line in lines)
    share = {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "start")]
    left = float(lines[0].get("x", 0)) - share * width
    bottoms = [float(line.get("y", 0)) + 3 for line in lines]
    return left, bottoms[0] - _labels.LINE, left + width, bottoms[-1]


def _apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] + 0.2 or other[2] <= one[0] + 0.2 or one[3] <= other[1] + 0.2 or other[3] <= one[1] + 0.2


@settings(max_examples=60, deadline=None)
@given(marks=st.lists(MARKS, min_size=1, max_size=25), limits=LIMITS)
def test_any_cloud_has_its_labels_apart_and_inside(marks: list[Mark], limits: list[tuple[float, str]]) -> None:
    found = boxes(drawn(marks, limits=limits, front=[(mark.x, mark.y) for mark in marks[:3]]))
    assert all(_apart(one, other) for one, other in itertools.combinations(found, 2))
    assert all(box[0] >= 0 and box[1] >= 0 and box[2] <= _charts.WIDTH and box[3] <= HEIGHT for box in found)


@settings(max_examples=30, deadline=None)
@given(marks=st.lists(MARKS, min_size=1, max_size=30))
def test_what_must_be_named_is_named_among_any_others(marks: list[Mark]) -> None:
    chosen = Mark(x=1.0, y=0.5, kind="chosen", hint="", names=["shipped: student cnn (widths 16)"], must=True)
    svg = drawn([*marks, chosen])
    assert [text for text in svg.iter("text") if text.get("class") == "label name chosen"]


def test_every_mark_tells_itself_and_lies_inside() -> None:
    marks = [Mark(x=10.0**power, y=0.9, kind="kept", hint=f"plan {power}") for power in range(-3, 3)]
    svg = drawn(marks)
    assert [title.text for title in svg.iter("title")] == [mark.hint for mark in marks]
    places = [float(dot.get("cx", -1)) for dot in svg.iter("circle")]
    steps = [b - a for a, b in itertools.pairwise(places)]
    assert steps == pytest.approx([steps[0]] * 5, abs=0.2)
    assert all(0 < place < _charts.WIDTH for place in places)


def test_what_lies_outside_stands_on_the_edge_and_points_there() -> None:
    marks = [Mark(x=1.0, y=y, kind="kept", hint=str(y)) for y in (0.95, 0.1, 1.0)]
    svg = drawn(marks, ends=(0.94, 0.96))
    assert [(path.get("d", "").split("h")[1], path[0].text) for path in svg.iter("path")] == [
        ("8l-4,6z", "0.1"),
        ("8l-4,-6z", "1.0"),
    ]
    assert len(list(svg.iter("circle"))) == 1


def test_limits_are_drawn_to_scale_or_said_at_the_edge() -> None:
    marks = [Mark(x=x, y=0.9, kind="kept", hint="") for x in (1.0, 4.0)]
    near = drawn(marks, limits=[(2.0, "at most 2 ms")])
    line = next(line for line in near.iter("line") if line.get("class") == "limit")
    first, last = (float(dot.get("cx", 0)) for dot in near.iter("circle"))
    assert float(line.get("x1", 0)) == pytest.approx((first + last) / 2, abs=0.2)
    far = drawn(marks, limits=[(500.0, "at most 500 ms")])
    assert not [line for line in far.iter("line") if line.get("class") == "limit"]
    assert [text.text for text in far.iter("text") if text.get("class") == "label limit"] == ["at most 500 ms →"]


def test_the_front_goes_in_steps_from_the_edge() -> None:
    marks = [Mark(x=x, y=y, kind="kept", hint="") for x, y in ((1.0, 0.5), (10.0, 0.9))]
    svg = drawn(marks, front=[(10.0, 0.9), (1.0, 0.5)])
    line = next(line for line in svg.iter("polyline") if line.get("class") == "front")
    places = [tuple(map(float, place.split(","))) for place in line.get("points", "").split()]
    ways = ["across" if a[1] == b[1] else "up" for a, b in itertools.pairwise(places) if a != b]
    assert ways == ["up", "across", "up", "across"]
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(places))
    assert places[-1] == (_charts.WIDTH - _charts.RIGHT, places[-2][1])


def test_a_full_name_that_has_no_room_gives_way_to_a_short_one() -> None:
    crowd = [Mark(x=10.0**x, y=y / 12, kind="kept", hint="", radius=13) for x in range(12) for y in range(12)]
    chosen = Mark(x=1e5, y=0.5, kind="chosen", hint="", names=["a" * 30, "shipped"], must=True)
    said = [text for text in drawn([*crowd, chosen]).iter("text") if text.get("class") == "label name chosen"]
    assert [line.text for line in said[0].iter("tspan")] == ["shipped"]


def test_a_long_name_is_broken_before_its_arrows() -> None:
    name = "student cnn (widths 16/32) → int8 → packed weights (bits 4)"
    broken = ["student cnn (widths", "16/32)", "→ int8", "→ packed weights (bit…"]
    assert [line.replace("\N{NO-BREAK SPACE}", " ") for line in _labels.lines(name)] == broken
    assert all(len(line) <= 34 for line in _labels.lines("x" * 500, 34))


def test_a_legend_escapes_its_words() -> None:
    found = ElementTree.fromstring(_cloud.legend([("chosen", "<shipped>"), ("front", "the front")]))
    assert ["".join(item.itertext()) for item in found.iter("li")] == ["<shipped>", "the front"]
    assert [child.tag for item in found.iter("svg") for child in item] == ["circle", "polyline"]

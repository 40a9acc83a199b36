from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.report import _charts
from lepton.report._charts import Dot

FINITE = st.floats(-1e6, 1e6)


def plain(value: float) -> str:
    return f"{value:.3g}"


@given(low=FINITE, spread=st.floats(1e-3, 1e6))
def test_ticks_lie_inside_in_equal_steps(low: float, spread: float) -> None:
    found = _charts.ticks(low, low + spread)
    assert 1 <= len(found) <= 8
    assert all(low - 1e-6 * spread <= value <= low + spread * (1 + 1e-6) for value in found)
    steps = [b - a for a, b in zip(found, found[1:], strict=False)]
    assert steps == pytest.approx([steps[0]] * len(steps) if steps else [])


@given(points=st.lists(st.tuples(FINITE, FINITE | st.just(float("nan"))), max_size=20))
def test_any_line_is_well_formed(points: list[tuple[float, float]]) -> None:
    svg = _charts.line(points, name="<&>", axes=("x", "<y>"), form=plain, best=0)
    if svg:
        assert "nan" not in svg
        ElementTree.fromstring(svg)


@given(dots=st.lists(st.builds(Dot, st.floats(0, 1e4), st.floats(0, 1e4), st.text("a<&\"'")), max_size=12))
def test_any_scatter_is_well_formed(dots: list[Dot]) -> None:
    svg = _charts.scatter(dots, name="s", axes=("x", "y"), forms=(plain, plain))
    if dots:
        ElementTree.fromstring(svg)


def test_a_bar_shows_its_share_and_interval() -> None:
    svg = ElementTree.fromstring(_charts.bar(0.5, 0.4, 1.2, name="half"))
    assert [item.get("width") for item in svg.iter("rect")] == ["100%", "50%"]
    assert next(svg.iter("line")).get("x1") == "40%"
    assert next(svg.iter("line")).get("x2") == "100%"


def test_a_heat_map_has_a_cell_for_each_pair_and_tells_it() -> None:
    svg = _charts.heat([[3, 1], [0, 0]], ["a", "<b>"], name="confusion")
    tree = ElementTree.fromstring(svg)
    titles = [item.text for item in tree.iter("title")]
    assert titles == ["a answered as a: 3", "a answered as <b>: 1", "<b> answered as a: 0", "<b> answered as <b>: 0"]

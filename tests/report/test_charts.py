from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lepton.report import _charts

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
@example(points=[(0.0, 5e-324)])
@example(points=[(0.0, 0.0), (5e-324, 1.0)])
def test_any_line_is_well_formed(points: list[tuple[float, float]]) -> None:
    svg = _charts.line(points, name="<&>", axes=("x", "<y>"), form=plain, best=0)
    if svg:
        assert "nan" not in svg
        ElementTree.fromstring(svg)


@given(low=st.floats(1e-6, 1e3), times=st.floats(1.01, 1e6))
def test_ticks_by_magnitude_lie_inside(low: float, times: float) -> None:
    found = _charts.log_ticks(low, low * times, 6)
    assert 1 <= len(found) <= 14
    assert all(low * (1 - 1e-6) <= value <= low * times * (1 + 1e-6) for value in found)


def test_an_axis_by_magnitude_gives_each_power_the_same_room() -> None:
    axis = _charts.Axis(0.01, 100, 0, 400, log=True)
    assert [axis.place(value) for value in (0.01, 0.1, 1, 10, 100)] == pytest.approx([0, 100, 200, 300, 400])
    assert axis.ticks(6) == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert _charts.Axis(0.01, 0.1, 0, 400, log=True).ticks(6) == pytest.approx([0.01, 0.02, 0.05, 0.1])


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

from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.core.errors import Faults, UserError
from lepton.runtime.app import App, load
from lepton.streams._detector import Detector, Hit, Listening, chances, listening, sizes

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
NAMES = ["a", "b", "noise"]


@pytest.fixture(scope="module")
def app() -> App:
    return load(APPS / "audio-classification")


def hits(rows: list[list[float]], **more: Any) -> list[Hit]:
    how = {"hop_ms": 100.0, "smoothing": 1, "threshold": 0.6, "refractory_ms": 0.0, **more}
    return Detector(NAMES, Listening(**how)).feed(np.array(rows, float).reshape(-1, 3))


A, B, N, LOW = [0.9, 0.1, 0], [0.1, 0.8, 0.1], [0, 0, 1.0], [0.4, 0.3, 0.3]


def test_a_label_is_an_event_when_it_rises_and_again_after_it_was_below() -> None:
    assert hits([LOW, A, A, A, LOW, A]) == [Hit(1, "a", 0.9), Hit(5, "a", 0.9)]


def test_one_label_may_follow_another() -> None:
    assert [hit[:2] for hit in hits([A, A, B, B, A])] == [(0, "a"), (2, "b"), (4, "a")]


def test_no_event_comes_within_the_time_of_rest() -> None:
    rows = [A, LOW, A, LOW, LOW, A, LOW, B]
    assert [hit.window for hit in hits(rows, refractory_ms=250.0)] == [0, 5]
    assert [hit.window for hit in hits(rows, refractory_ms=201.0)] == [0, 5]
    assert [hit.window for hit in hits(rows, refractory_ms=200.0)] == [0, 2, 5, 7]


def test_a_label_that_rose_while_at_rest_is_no_event_when_the_rest_is_over() -> None:
    assert [hit.window for hit in hits([A, LOW, A, A, A, A], refractory_ms=300.0)] == [0]


def test_labels_that_are_ignored_are_no_events() -> None:
    assert hits([N, N, A], ignore=["noise"]) == [Hit(2, "a", 0.9)]
    assert [hit.label for hit in hits([N, A])] == ["noise", "a"]


def test_a_label_may_have_a_threshold_of_its_own() -> None:
    assert [hit.label for hit in hits([A, B], thresholds={"a": 0.95})] == ["b"]
    assert [hit.label for hit in hits([LOW], thresholds={"a": 0.4})] == ["a"]


def test_averages_are_over_the_windows_before_with_silence_before_the_first() -> None:
    found = hits([A, A, A, [0, 0, 0], A], smoothing=3, threshold=0.55)
    assert [(hit.window, hit.label) for hit in found] == [(1, "a")]
    assert found[0].score == pytest.approx(0.6)


def test_a_threshold_is_reached_exactly() -> None:
    assert hits([[0.6, 0.4, 0]]) == [Hit(0, "a", 0.6)]


ROW = st.lists(st.integers(0, 10), min_size=3, max_size=3).map(lambda row: [value / max(1, sum(row)) for value in row])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(ROW, max_size=40),
    places=st.lists(st.integers(0, 40), max_size=6),
    smoothing=st.integers(1, 7),
    threshold=st.sampled_from([0.3, 0.5, 0.7]),
    rest=st.sampled_from([0.0, 150.0, 700.0]),
)
def test_events_are_the_same_however_windows_come(
    rows: Any, places: list[int], smoothing: int, threshold: float, rest: float
) -> None:
    how = Listening(hop_ms=100.0, smoothing=smoothing, threshold=threshold, refractory_ms=rest, ignore=("noise",))
    whole = np.array(rows, float).reshape(-1, 3)
    together, apart = Detector(NAMES, how), Detector(NAMES, how)
    ends = sorted(place % (len(rows) + 1) for place in places)
    parts = [whole[start:end] for start, end in zip([0, *ends], [*ends, len(rows)], strict=True)]
    expected = together.feed(whole)
    assert [hit for part in parts for hit in apart.feed(part)] == expected
    assert expected == by_definition(whole.tolist(), how)


def by_definition(rows: list[list[float]], how: Listening) -> list[Hit]:
    """One window after the other, as the words say."""
    found: list[Hit] = []
    last, above = -(10**9), ""
    for place in range(len(rows)):
        known = rows[max(0, place - how.smoothing + 1) : place + 1]
        # Plain additions in order: `sum` has a way of its own from Python 3.12 on.
        means = [reduce(add, (row[index] for row in known), 0.0) / how.smoothing for index in range(2)]
        score = max(means)
        name = NAMES[means.index(score)] if score >= how.threshold else ""
        if name and name != above and (place - last) * how.hop_ms >= how.refractory_ms:
            found.append(Hit(place, name, score))
            last = place
        above = name
    return found


def test_what_is_left_open_comes_from_the_app(app: App) -> None:
    found = listening({}, app)
    assert (found.rate, found.window_ms) == (8000, 250.0)
    assert sizes(found) == (2000, 400)
    assert sizes(listening({"rate": 44_100, "hop_ms": 10}, app)) == (11_025, 441)


@pytest.mark.parametrize(
    ("given_settings", "said"),
    [
        ({"rate": "fast"}, r"\[stream.rate\] is wrong"),
        ({"rate": 10}, "between 1000 and 192000"),
        ({"hop_ms": 0}, "between 10 and 10000"),
        ({"threshold": 2}, "between 0 and 1"),
        ({"format": "mp3"}, "s16le"),
        ({"smooting": 3}, "smoothing"),
        ({"ignore": ["alhpa"]}, "Did you mean 'alpha'"),
        ({"ignore": ["alpha", "beta", "gamma"]}, "leave a label"),
        ({"thresholds": {"delta": 0.5}}, "alpha, beta, gamma"),
        ({"thresholds": {"alpha": True}}, "between 0 and 1"),
        ({"thresholds": {"alpha": "x"}}, "between 0 and 1"),
        ({"thresholds": 3}, "a table"),
    ],
)
def test_settings_that_are_wrong_are_told(app: App, given_settings: Any, said: str) -> None:
    with pytest.raises(Faults, match=said):
        listening(given_settings, app)


def test_all_faults_are_told_at_once(app: App) -> None:
    with pytest.raises(Faults) as caught:
        listening({"rate": 1, "hop_ms": "x", "nothing": 1}, app)
    assert len(caught.value.faults) == 3


def test_an_app_of_another_task_is_refused() -> None:
    with pytest.raises(UserError, match="audio-classification"):
        listening({}, load(APPS / "text-classification"))


def test_chances_stand_in_the_order_of_the_classes() -> None:
    answer = [{"label": "b", "score": 0.7}, {"label": "a", "score": 0.2}, {"label": "noise", "score": 0.1}]
    assert chances(answer, NAMES) == [0.2, 0.7, 0.1]

import pytest

from lepton.report import _words


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 %"), (1, "100 %"), (0.9862, "98.6 %"), (0.9997, "99.97 %"), (0.0021, "0.21 %"), (0.5, "50.0 %")],
)
def test_percent(value: float, said: str) -> None:
    assert _words.percent(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(3.77, "3.8× smaller"), (1.0, "no smaller"), (0.5, "2× larger"), (1.04, "1.04× smaller"), (40, "40× smaller")],
)
def test_gain(value: float, said: str) -> None:
    assert _words.gain(value, "smaller", "larger") == said


def test_a_clause_says_which_way_it_holds() -> None:
    found = {"name": "metric (validation)", "asked": 0.9, "measured": 0.85, "kept": False, "note": ""}
    assert _words.clause_line(found) == "metric (validation): 85.0 % (at least 90.0 %) NOT KEPT"


def test_lower_is_better_is_asked_of_the_metric() -> None:
    assert _words.lower_is_better("calibration_error")
    assert not _words.lower_is_better("accuracy")
    assert not _words.lower_is_better("no_such_metric")

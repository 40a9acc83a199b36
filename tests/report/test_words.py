import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onnx", "fp32 ONNX"),
        ("distil(cnn widths [16] dense [])+int8_static+weights", "student cnn (widths 16) → int8 → packed weights"),
        ("distil(cnn widths [8, 16] repeat None) (served)", "student cnn (widths 8/16) (served)"),
        ("distil(resnet preset resnet8 width 4, epochs 4.0)", "student resnet (resnet8, width 4, epochs 4.0)"),
        ("distil(fraction 0.25)+int8_dynamic", "narrower student (fraction 0.25) → dynamic int8"),
        ("weights(bits 4, per_row True, least_of False)", "packed weights (bits 4, per row, no least of)"),
    ],
)
def test_a_plan_is_said_step_by_step(name: str, said: str) -> None:
    assert _words.plan(name) == said


@pytest.mark.parametrize("name", ["PyTorch", "their_method", "their_method+another-one", "broken(cnn", "a+b) x", ""])
def test_steps_of_others_keep_their_names(name: str) -> None:
    assert _words.plan(name) == name.replace("+", " → ")


def test_their_settings_are_read_all_the_same() -> None:
    assert (
        _words.plan("their_method(share 0.5, ranks {'a': [1, 2]})") == "their_method (share 0.5, ranks {'a': [1, 2]})"
    )


@given(st.text("ab(0)[, ]+{}'_→<") | st.text())
def test_no_name_breaks_it(name: str) -> None:
    assert isinstance(_words.plan(name), str)
    assert len(_words.short_plan(name)) <= 72

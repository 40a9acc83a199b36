import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core import settings
from lepton.core.errors import Faults
from lepton.core.settings import Plugin, Range


@dataclass(frozen=True, kw_only=True)
class Inner:
    low: Annotated[float, Range(0, 1)] = 0.5


def target(
    first: object,
    *,
    count: Annotated[int, Range(1, 10)],
    rate: Annotated[float, Range(0)] = 0.1,
    kind: Literal["a", "b"] = "a",
    name: str | None = None,
    sizes: Annotated[list[int] | None, Range(1, 8)] = None,
    inner: Inner = Inner(),
    check: Annotated[str | dict[str, Any] | None, Plugin("metrics", "score")] = None,
) -> None:
    """A toy."""


def test_defaults_are_filled_in() -> None:
    values, faults = settings.resolve(target, {"count": 3, "rate": 1}, "toy")
    assert not faults
    assert values["rate"] == 1.0
    assert isinstance(values["rate"], float)
    assert values["inner"] == {"low": 0.5}
    assert values["kind"] == "a"


def test_every_fault_is_named_with_its_place() -> None:
    given_values = {"count": 11, "rate": -1, "kind": "c", "nmae": "x", "inner": {"low": 2}, "sizes": [0]}
    _, faults = settings.resolve(target, given_values, "toy")
    text = "\n".join(fault.message for fault in faults)
    for place in ("toy.count", "toy.rate", "toy.kind", "toy.nmae", "toy.inner.low", "toy.sizes"):
        assert place in text
    assert len(faults) == 6
    assert "'name'" in text, "the nearest known key is the remedy"


def test_what_is_required_must_be_there() -> None:
    with pytest.raises(Faults, match=r"toy.count.*missing"):
        settings.settle(target, {}, "toy")


@pytest.mark.parametrize("wrong", [True, "3", 3.5, None, [], math.nan])
def test_a_whole_number_is_a_whole_number(wrong: object) -> None:
    _, faults = settings.resolve(target, {"count": wrong}, "toy")
    assert len(faults) == 1


def test_a_plugin_is_a_name_or_a_table() -> None:
    values, faults = settings.resolve(target, {"count": 1, "check": "accuracy"}, "toy")
    assert not faults
    assert values["check"] == {"name": "accuracy"}
    _, faults = settings.resolve(target, {"count": 1, "check": "accuracyy"}, "toy")
    assert "accuracy" in faults[0].remedy


def test_settings_become_their_dataclass_again() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Outer:
        inner: Inner = Inner()
        size: int = 1

    values = settings.settle(Outer, {"inner": {"low": 0.25}}, "toy")
    assert settings.build(Outer, values) == Outer(inner=Inner(low=0.25))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_value_breaks_the_check(value: object) -> None:
    for name in ("count", "rate", "kind", "name", "sizes", "inner", "check"):
        _, faults = settings.resolve(target, {"count": 1, name: value}, "toy")
        assert all(fault.message for fault in faults)

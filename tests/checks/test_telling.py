import numpy as np
import pytest

from lepton.checks import _telling
from lepton.checks._telling import View

WAYS = ("near", "low", "high")


def values(*columns):
    return View(np.stack(columns, axis=1).astype(np.float32)[None], WAYS)


@pytest.fixture
def labels():
    return np.array(["a", "b", "c", "d"] * 50)


def test_nothing_tells_classes_apart_where_nothing_does(labels):
    random = np.random.default_rng(0)
    views = {"some": values(*random.normal(size=(300, len(labels))))}
    assert list(_telling.told(views, labels)) == []


@pytest.mark.parametrize(("way", "value"), [("low", -9.0), ("high", 9.0), ("near", 0.001)])
def test_the_column_that_tells_a_class_is_named_with_its_way(labels, way, value):
    random = np.random.default_rng(0)
    columns = random.normal(size=(20, len(labels)))
    columns[7, labels == "c"] = value + random.normal(size=50) * 1e-4
    view = View(columns.T[None].astype(np.float32), (way,))
    [told] = _telling.told({"some": view}, labels)
    assert (told.label, told.view, told.rule.column, told.rule.way) == ("c", "some", 7, way)
    assert told.rates.found > 0.9
    assert told.rates.gain > told.rates.proven > 0.3
    assert told.gains.argmax() == 7
    assert told.rule.holds(view.values)[labels == "c"].mean() > 0.9


def test_two_classes_of_one_value_are_not_told_from_each_other(labels):
    column = np.where(np.isin(labels, ["a", "b"]), 1.0, 0.0)
    assert list(_telling.told({"some": values(column)}, labels)) == []


def test_small_classes_and_a_single_class_are_passed_over():
    labels = np.array(["a"] * 100 + ["b"] * (_telling.FEWEST - 1))
    column = (labels == "b").astype(float)
    assert list(_telling.told({"some": values(column)}, labels)) == []
    assert list(_telling.told({"some": values(column)}, np.array(["a"] * len(labels)))) == []

"""Classification: order of classes, softmax, operating point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.plugins import load
from lepton.tasks._classification import softmax

TASKS = {"image-classification": "image", "text-classification": "text", "audio-classification": "audio"}


def answered(logits, classes, **decode):
    task = load("tasks", "image-classification")
    settings = {"classes": classes, "decode": {"name": "softmax", **decode}}
    return task.answer(lambda arrays: {"logits": np.asarray(logits, np.float32)}, {}, settings)


@pytest.mark.parametrize(("name", "modality"), TASKS.items())
def test_each_task_has_its_modality(name, modality):
    task = load("tasks", name)
    assert modality == task.MODALITY
    assert task.METRICS[0] == "accuracy"
    answer = [{"label": str(index), "score": 0.1} for index in range(10)]
    assert task.brief(answer) == answer[:5]
    assert task.finish(answer, b"") is answer


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "9", None], ["9", "10"]),
        (["b", "a"], ["a", "b"]),
        (["track 11", "track 2"], ["track 2", "track 11"]),
        (["01", "1", "a", "2"], ["01", "1", "2", "a"]),
        (["1" * 5000, "2"], ["2", "1" * 5000]),
    ],
)
def test_classes_are_in_an_order_people_expect(labels, expected):
    assert load("tasks", "text-classification").classes(labels) == expected


@pytest.mark.parametrize("labels", [[], [None], ["a", "a"]])
def test_fewer_than_two_classes_are_the_users_mistake(labels):
    with pytest.raises(UserError, match="too few classes"):
        load("tasks", "text-classification").classes(labels)


@given(st.lists(st.text(max_size=8), min_size=2, unique=True))
def test_any_names_have_one_order(names):
    task = load("tasks", "text-classification")
    assert task.classes(names) == task.classes(names[::-1])


def test_every_class_is_answered_by_probability():
    (answer,) = answered([[0.0, 2.0, 1.0]], ["a", "b", "c"])
    assert [item["label"] for item in answer] == ["b", "c", "a"]
    expected = np.exp([2, 1, 0]) / np.exp([2, 1, 0]).sum()
    assert [item["score"] for item in answer] == pytest.approx(expected)
    assert all(type(item["score"]) is float for item in answer)


def test_temperature_changes_scores_and_not_the_choice():
    (hot,) = answered([[0.0, 2.0]], ["a", "b"], temperature=4.0)
    assert hot[0]["label"] == "b"
    assert hot[0]["score"] == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_the_operating_point_decides_about_the_second_class():
    logits = np.log([[0.7, 0.3], [0.9, 0.1]])
    low, high = answered(logits, ["well", "ill"], threshold=0.2)
    assert [item["label"] for item in low] == ["ill", "well"]
    assert low[0]["score"] == pytest.approx(0.3)
    assert high[0]["label"] == "well"
    assert answered(logits, ["well", "ill"], threshold=2.0)[0][0]["label"] == "well"


def test_a_row_answers_alike_alone_and_in_company():
    logits = np.random.default_rng(0).normal(0, 3, (33, 77)).astype(np.float32)
    alone = np.concatenate([softmax(row[None]) for row in logits])
    np.testing.assert_array_equal(softmax(logits), alone)


def test_huge_logits_do_not_overflow():
    assert softmax(np.array([[1e30, 0.0]], np.float32)).tolist() == [[1.0, 0.0]]

"""Open-set answers: likeness by its formulas, and what the decode does with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lepton.core.plugins import load
from lepton.tasks._abstain import SCORES, likeness

LOGITS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(2, 40)),
    elements=st.floats(-30, 30, width=32),
)


def abstain(threshold, score="probability", **more):
    return {"score": score, "threshold": threshold, "label": "unknown", "keep": 0.95, **more}


def answered(logits, **decode):
    logits = np.asarray(logits, np.float32)
    names = [f"class {index}" for index in range(logits.shape[1])]
    settings = {"classes": names, "decode": {"name": "softmax", **decode}}
    return load("tasks", "text-classification").answer(lambda _: {"logits": logits}, {}, settings)


@given(LOGITS, st.floats(0.1, 8))
def test_likeness_is_what_its_formulas_say(logits, temperature):
    z = logits.astype(np.float64) / temperature
    chances = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    two = np.sort(z, 1)[:, -2:]
    expected = {
        "probability": chances.max(1),
        "energy": temperature * np.log(np.exp(z).sum(1)),
        "margin": two[:, 1] - two[:, 0],
    }
    assert sorted(expected) == sorted(SCORES)
    for score, values in expected.items():
        assert likeness({"logits": logits}, score, temperature=temperature) == pytest.approx(values, rel=1e-6, abs=1e-9)


def test_likeness_of_huge_logits_is_finite():
    logits = np.array([[5000.0, -5000.0, 4999.0]])
    assert likeness({"logits": logits}, "probability") == pytest.approx(1 / (1 + np.exp(-1)))
    assert likeness({"logits": logits}, "energy") == pytest.approx(5000 + np.log1p(np.exp(-1)))
    assert likeness({"logits": logits}, "margin") == pytest.approx(1)


@given(LOGITS, st.sampled_from(SCORES), st.floats(-5, 40))
def test_one_outcome_more_whose_scores_are_a_distribution(logits, score, threshold):
    plain = answered(logits)
    like = likeness({"logits": logits}, score)
    for answer, before, own in zip(answered(logits, abstain=abstain(threshold, score)), plain, like, strict=True):
        assert len(answer) == len(before) + 1
        assert sum(item["score"] for item in answer) == pytest.approx(1)
        assert answer[0]["score"] == max(item["score"] for item in answer)
        if own < threshold:
            assert answer[0] == {"label": "unknown", "score": pytest.approx(0.95)}
            assert [item["label"] for item in answer[1:]] == [item["label"] for item in before]
            shares = [20 * item["score"] for item in answer[1:]]
            assert shares == pytest.approx([item["score"] for item in before])
        else:
            assert answer == [*before, {"label": "unknown", "score": 0.0}]


@given(LOGITS, st.sampled_from(SCORES))
def test_an_answer_does_not_depend_on_its_batch(logits, score):
    how = abstain(float(np.median(likeness({"logits": logits}, score))), score)
    together = answered(logits, abstain=how, temperature=1.7)
    assert together == [answered(row[None], abstain=how, temperature=1.7)[0] for row in logits]


def test_the_outcomes_score_is_the_share_of_known_samples_that_look_more_known():
    tail = [0.2, 0.3, 0.4]
    scores = [
        answered([[0.0] * count], abstain=abstain(0.7, tail=tail))[0][0]["score"] for count in (2, 3, 4, 6)
    ]  # 1/2, 1/3, 1/4 and 1/6, under which stand 3, 2, 1 and 0 of the tail
    assert scores == pytest.approx([1 - 0.05 * share for share in (1, 0.75, 0.5, 0.25)])


def test_temperature_counts_and_so_does_an_operating_point():
    logits = [[1.0, 0.0]]
    assert answered(logits, abstain=abstain(0.7))[0][0]["label"] == "class 0"
    assert answered(logits, abstain=abstain(0.7), temperature=4.0)[0][0]["label"] == "unknown"
    kept = answered(logits, abstain=abstain(0.7), threshold=0.2)[0]
    assert [item["label"] for item in kept] == ["class 1", "class 0", "unknown"]


def test_what_is_shown_begins_with_the_outcome():
    answer = answered([[0.0] * 9], abstain=abstain(0.5))[0]
    brief = load("tasks", "text-classification").brief(answer)
    assert len(brief) == 5
    assert brief[0]["label"] == "unknown"

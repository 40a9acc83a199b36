"""What the page and the JSON tell of corrections, cleaning, leaks and slices."""

from typing import Any

from lepton.report import html
from lepton.report.summary import summarise

EVIL = "<script>alert('x')</script>"


def score(value: float) -> dict[str, Any]:
    return {"accuracy": {"value": value, "low": value - 0.05, "high": value + 0.05}}


def rule(name: str, value: float) -> dict[str, Any]:
    scores = {"without": 0.8, "with": 0.8 + value, "value": value, "low": value - 0.01, "high": value + 0.01}
    return {"rule": name, "changed": 7, **scores, "given": 0.002, "level": 0.975}


def cleaned(kept: str | None) -> dict[str, Any]:
    row = {"id": EVIL, "given": "cat", "suggested": "dog", "score": 0.9}
    why = "relabel helps: ..." if kept else "nothing is changed, since no rule is sure to help: drop +0.10 points"
    known = {"model": "a quick model", "metric": "accuracy", "validation": 200, "set_aside": 12, "seeds": 5}
    tried = [rule("drop", 0.001), rule("relabel", 0.05)]
    return {"kept": kept, "why": why, "suspects": 7, "tried": tried, "records": [row] if kept else [], **known}


def page(fake: Any, **changed: Any) -> str:
    return html.render(fake.go(**changed)).replace("\N{NO-BREAK SPACE}", " ")


def test_the_decision_on_cleaning_is_told_with_its_interval(fake: Any) -> None:
    corrections = {"file": "fixed.sqlite", "changed": {"train": 3, "test": 1}, "confirmed": 2, "lost": ["a"]}
    told = {"version": "f" * 64, "corrections": corrections, "clean": cleaned("relabel")}
    text = page(fake, prepare=told)
    assert "f" * 64 in text
    assert "Labels corrected by people: 3 in train and 1 in test; confirmed: 2" in text
    assert "+5.00 (+4.00 to +6.00)" in text
    assert "97.5 % interval" in text
    assert "188 validation records, 12 doubtful ones set aside" in text
    assert EVIL not in text


def test_that_nothing_was_changed_is_told_with_the_reason(fake: Any) -> None:
    text = page(fake, prepare={"clean": cleaned(None)})
    assert "Nothing was changed: no rule is sure to help." in text


def test_leaks_labels_and_slices_are_told_in_words(fake: Any) -> None:
    raised = {"n": 9, "model": "linear SVM", "without": 0.7, "with": 0.75, "value": 0.05, "low": 0.02, "high": 0.08}
    leaks = {"n": 2, "metrics": score(0.9), "near": {"n": 3, "metrics": score(0.8)}, "raised": raised}
    weak = {"field": "who", "value": EVIL, "n": 30, "metric": score(0.5)["accuracy"], "others": 0.9, "weak": True}
    strong = {**weak, "value": "al", "others": None, "weak": False}
    told = {"as_given": {"n": 1, "metrics": score(0.6)}, "doubtful": {"n": 5, "agreed": 4}, "slices": [weak, strong]}
    run = fake.go(evaluate={"leaks": leaks, **told})
    text = html.render(run).replace("\N{NO-BREAK SPACE}", " ")
    for words in (
        "Also without the 3 test records that are nearly the same",
        "The 9 leaked training records raise the test score of a quick model (linear SVM) from 70.0 % to 75.0 %",
        "+5.00 points (+2.00 to +8.00)",
        "1 test label was corrected by people",
        "5 test labels look wrong",
        "for 4 this app answers",
        "of 2 slices looked at",
        "50.0 % (45.0 % to 55.0 %) on 30 records, elsewhere 90.0 %",
    ):
        assert words in text
    assert EVIL not in text
    found = summarise(run)
    assert found["leaks"] == leaks
    assert found["doubtful"] == {"n": 5, "agreed": 4}
    assert found["slices"] == [weak, strong]


def test_where_no_slice_is_weak_that_is_said(fake: Any) -> None:
    row = {"field": "who", "value": "al", "n": 3, "metric": score(0.9)["accuracy"], "others": 0.9, "weak": False}
    assert "No slice of 1 is weaker than the other records beyond chance" in page(fake, evaluate={"slices": [row]})

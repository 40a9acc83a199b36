"""Distillation asks the workshop for a student: which one, of whom, and how."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lepton.compress import distil
from lepton.compress._candidate import Candidate, Context
from lepton.core import settings
from lepton.core.settings import Plugin
from lepton.transforms._fitted import Fitted

GIVEN = Candidate({"model": {"name": "cnn", "widths": [8, 16]}}, ("image", Fitted({})))
STUDENT = Candidate({"model": {"name": "student"}}, ("image", Fitted({})))


@dataclass
class Workshop:
    """Answers with STUDENT, and keeps what it was asked for."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def smaller(self, candidate: Candidate, fraction: float) -> dict[str, Any]:
        assert candidate is GIVEN
        return {"name": "cnn", "widths": [round(width * fraction) for width in candidate.described["model"]["widths"]]}

    def learn(self, model: dict[str, Any], teaching: object, *, epochs: float) -> Candidate:
        self.asked.append((model, teaching, epochs))
        return STUDENT


def asked(**how: Any) -> tuple[Any, ...]:
    """What `compress` with these settings, checked as a recipe's are, asks for."""
    workshop = Workshop()
    chosen, faults = settings.choose({"name": "distil", **how}, Plugin("compress", "compress"), "compress.passes")
    assert not faults
    del chosen["name"]
    assert distil.compress(GIVEN, Context(Path(), 0, workshop), **chosen) is STUDENT
    (found,) = workshop.asked
    return found


def test_by_itself_the_model_teaches_a_half_as_wide_one_of_its_family() -> None:
    model, teaching, epochs = asked()
    assert model == {"name": "cnn", "widths": [4, 8]}
    assert teaching.teachers is GIVEN
    assert (teaching.temperature, teaching.share, teaching.by, teaching.generated) == (2.0, 0.8, "logits", 4)
    assert epochs == 2.0


@pytest.mark.parametrize(("fraction", "widths"), [(0.25, [2, 4]), (1.0, [8, 16])])
def test_the_fraction_is_of_the_widths(fraction: float, widths: list[int]) -> None:
    assert asked(fraction=fraction)[0]["widths"] == widths


@pytest.mark.parametrize("given", ["bag", {"name": "bag", "width": 16}])
def test_a_family_that_is_named_is_the_student(given: Any) -> None:
    model, _, _ = asked(model=given, fraction=0.25)
    assert model["name"] == "bag"
    assert model["width"] == (16 if isinstance(given, dict) else None)


@pytest.mark.parametrize("given", ["runs/large", ["runs/large"], ["runs/large", "runs/other"]])
def test_apps_and_runs_can_teach_instead(given: Any) -> None:
    _, teaching, _ = asked(teacher=given)
    assert teaching.teachers == ([given] if isinstance(given, str) else given)


def test_how_it_is_taught_is_handed_on() -> None:
    how = {"temperature": 5.0, "share": 1.0, "by": "relations", "generated": 0}
    _, teaching, epochs = asked(**how, epochs=0.5)
    assert {name: getattr(teaching, name) for name in how} == how
    assert epochs == 0.5


@pytest.mark.parametrize(
    "wrong",
    [{"model": "bagg"}, {"model": {"name": "bag", "widht": 1}}, {"share": 1.5}, {"by": "features"}, {"teacher": 3}],
)
def test_what_cannot_be_is_told_by_the_check(wrong: dict[str, Any]) -> None:
    _, faults = settings.choose({"name": "distil", **wrong}, Plugin("compress", "compress"), "compress.passes")
    (fault,) = faults
    assert f"compress.passes.{next(iter(wrong))}" in fault.message


def test_its_own_proposals_are_settings_that_it_takes() -> None:
    assert all(asked(**given)[1].teachers is GIVEN for given in distil.AUTO)
    models = [{"name": "bag", "width": 16}, {"name": "textcnn", "preset": "tiny"}]
    assert [asked(**given)[0]["name"] for given in distil.students(models)] == ["bag", "textcnn"]

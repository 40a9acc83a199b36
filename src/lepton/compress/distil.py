"""Distillation: a smaller network learns what the trained one answers, of the same family or another.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); with augmented inputs shown to both sides
and patience, Beyer et al., "Knowledge distillation: A good teacher is patient and consistent" (2022).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from lepton.compress._candidate import Candidate, Context, Teaching
from lepton.core.settings import Plugin, Range

TAKES, GIVES = ("network",), "network"
AUTO: tuple[Mapping[str, Any], ...] = ({"fraction": 0.5}, {"fraction": 0.25}, {"fraction": 0.125})


def compress(
    candidate: Candidate,
    context: Context,
    *,
    model: Annotated[str | dict[str, Any] | None, Plugin("models", "build")] = None,
    fraction: Annotated[float, Range(0.01, 1)] = 0.5,
    teacher: str | list[str] | None = None,
    temperature: Annotated[float, Range(0.1, 100)] = 2.0,
    share: Annotated[float, Range(0, 1)] = 0.8,
    by: Literal["logits", "relations"] = "logits",
    generated: Annotated[int, Range(0, 1000)] = 4,
    epochs: Annotated[float, Range(0, 1000)] = 2.0,
) -> Candidate:
    """Train a student from scratch on the training records and the teacher's answers to them.

    The student is `model` (a family's name, or `{ name = ..., settings }`), else the candidate's own family with its
    widths times `fraction`. The teacher is the candidate, or the mean of the apps or runs in the folders `teacher`.
    `temperature` softens both sides; `share` is the teacher's part of the loss. `by` "relations" learns how classes
    and samples lie to each other instead of the values. Of each text `generated` rewritten ones are made, labelled by
    the teacher. `epochs` are counted in those that the family is usually trained for.
    """
    teachers = candidate if teacher is None else [teacher] if isinstance(teacher, str) else teacher
    teaching = Teaching(teachers=teachers, temperature=temperature, share=share, by=by, generated=generated)
    chosen = {"name": model} if isinstance(model, str) else model
    student = chosen or context.workshop.smaller(candidate, fraction)
    return context.workshop.learn(student, teaching, epochs=epochs)


def students(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The settings that make a student of each of `models` (`{name, settings}`), for the automatic search."""
    return [{"model": dict(model)} for model in models]

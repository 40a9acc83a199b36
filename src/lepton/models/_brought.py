"""Models that were made elsewhere: what they tell of themselves, and their outputs in the order of the data's classes.

A family that takes such models has `bring(path) -> settings or None`, the settings that stand for what lies at a
path; `brought(settings) -> Brought`; `align(body, classes)`, which puts a fresh body's outputs into the order of the
data's classes; and `scaling(settings, samples)`, where its inputs are not scaled by what the training data say.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton.core import files
from lepton.core.errors import UserError
from lepton.models._objectives import tag_names

_NUMBERED = re.compile(r"label[_ -]?\d+", re.IGNORECASE)
"""What stands where nobody gave an output its name."""


@dataclass(frozen=True)
class Brought:
    """What a model that was made elsewhere tells of itself.

    `task` is "" where it does not say what it does. `sources` are the files that decide its answers. `app` is the
    folder of the app that it came in, whose transform and decode go with it.
    """

    name: str
    task: str
    sources: Sequence[Path]
    app: Path | None = None

    def check(self, task: str) -> None:
        """Raise UserError where the model is known to do another task than `task`."""
        if self.task and self.task != task:
            raise UserError(
                f"{self.name} does another task",
                rule=f"It was made for {self.task}",
                received=task,
                remedy=f"Say {self.task}, with data for it",
            )


def outputs(task: str, classes: Sequence[str]) -> list[str]:
    """The names of a model's outputs in order: the classes, or the tags where entities are found by tags."""
    return tag_names(classes) if task == "token-classification" else list(classes)


def order(theirs: Sequence[str] | None, ours: Sequence[str]) -> list[int]:
    """The place among `theirs`, the names of a model's outputs, of each of `ours`.

    Case, spaces and underscores are not heeded where that leaves no doubt. Outputs without names (None, or LABEL_0,
    LABEL_1, ...) are taken in the order of `ours`. Raises UserError where the names are others.
    """
    if theirs is None or (len(theirs) == len(ours) and all(map(_NUMBERED.fullmatch, theirs))):
        return list(range(len(ours)))
    for same in (str, _plain):
        known, wanted = [same(name) for name in theirs], [same(name) for name in ours]
        if sorted(known) == sorted(wanted) and len(set(known)) == len(known):
            return [known.index(name) for name in wanted]
    raise _other_names(theirs, ours)


def labels(folder: Path) -> list[str] | None:
    """The names of the outputs in order as the config.json in `folder` has them (id2label); None where it does not."""
    path = folder / "config.json"
    found = files.read_json(path) if path.is_file() else None
    names = found.get("id2label") if isinstance(found, Mapping) else None
    if not isinstance(names, Mapping) or sorted(names) != sorted(map(str, range(len(names)))):
        return None
    return [str(names[str(index)]) for index in range(len(names))]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()


def _other_names(theirs: Sequence[str], ours: Sequence[str]) -> UserError:
    """The error that shows what one side has and the other lacks, and how outputs are named anew."""
    missing, extra = ([name for name in one if name not in other] for one, other in ((ours, theirs), (theirs, ours)))
    said = f"The data have {_some(missing)}" if missing else "The data have all of the model's classes but some"
    remedy = "Give data with the model's classes"
    if len(theirs) == len(ours):
        remedy = f"Name its outputs in their order in the data's words: model.classes = {_listed(ours)}, put in order"
    return UserError(
        "The model's outputs are not the data's classes", rule=said, received=_some(extra or theirs), remedy=remedy
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _listed(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names[:4]) + (", ...]" if len(names) > 4 else "]")

"""Plug-ins are looked up from file names, never listed.

A room is a package `lepton.<room>`; each file in it whose name has no leading underscore is a plug-in and
its stem is its name. Others add plug-ins through the entry-point group `lepton.<room>`, whose value is a
module of the same shape.
"""

import difflib
import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from lepton.core.errors import UserError


def names(room: str) -> list[str]:
    """Names of the plug-ins in `room`, sorted; reads file names and imports no plug-in."""
    return sorted({*_own(room), *_foreign(room)})


def load(room: str, name: str) -> ModuleType:
    """Import the plug-in `name` of `room`.

    An error inside the plug-in passes through untouched.
    Raises UserError, naming the nearest known plug-ins, when there is none of that name.
    """
    if name in _own(room):
        return importlib.import_module(f"lepton.{room}.{_stem(name)}")
    foreign = _foreign(room)
    if name not in foreign:
        raise unknown(f"{room} plug-in", name, [*_own(room), *foreign])
    module: ModuleType = foreign[name].load()
    return module


def unknown(kind: str, name: str, known: list[str]) -> UserError:
    """The error for a name that is not one of `known`, with the nearest of them as the remedy."""
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"Did you mean {near[0]!r}" if near else "Choose one of them"
    return UserError(f"Unknown {kind}", rule=f"Known: {', '.join(sorted(known))}", received=name, remedy=hint)


def source(module: ModuleType) -> Path:
    """The file a plug-in was loaded from."""
    return Path(str(module.__file__))


def _own(room: str) -> list[str]:
    package = importlib.import_module(f"lepton.{room}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return [_name(room, stem) for stem in found if not stem.startswith("_")]


def _foreign(room: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"lepton.{room}")}


def _name(room: str, stem: str) -> str:
    """Tasks, commands and targets bear names with hyphens; file names cannot."""
    return stem.replace("_", "-") if room in ("tasks", "cli", "deploy") else stem


def _stem(name: str) -> str:
    return name.replace("-", "_")

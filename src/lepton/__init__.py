"""Lepton carries a dataset and a model idea from research to a small, verified application."""

from importlib import import_module
from typing import Any

_FUNCTIONS = {
    "run": "lepton.stages._road",
    "load": "lepton.runtime.app",
    "evaluate": "lepton.runtime.evaluate",
}


def __getattr__(name: str) -> Any:
    """Look up `run`, `load` or `evaluate` when it is asked for, so that importing lepton costs nothing."""
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'lepton' has no attribute {name!r}")
    return getattr(import_module(_FUNCTIONS[name]), name)


def __dir__() -> list[str]:
    """The functions that can be asked for."""
    return sorted([*globals(), *_FUNCTIONS])

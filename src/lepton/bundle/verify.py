"""Verifying an app: every file's hash, and every golden answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton.bundle import golden, manifest
from lepton.bundle.manifest import Bundle
from lepton.core.errors import BadInput
from lepton.core.types import Raw


def verify(folder: Path, predict: Callable[[Raw], Any] | None = None) -> list[str]:
    """Problems of the app in `folder`, one sentence each; none means that it is what was packaged.

    Golden answers are checked where `predict`, raw input to full answer, is given and all hashes are right.
    Raises UserError when the folder holds no readable manifest.
    """
    bundle = manifest.read(folder, verify=False)
    problems = [fault.message for fault in manifest.file_faults(bundle)]
    return problems if problems or predict is None else answers(bundle, predict)


def answers(bundle: Bundle, predict: Callable[[Raw], Any]) -> list[str]:
    """What `predict` answers otherwise than is expected of the app, or of the adapter chosen; one sentence each."""
    return [problem for raw, item in golden.read(bundle) for problem in _wrong(raw, item, predict)]


def _wrong(raw: Raw, item: golden.Golden, predict: Callable[[Raw], Any]) -> list[str]:
    try:
        found = predict(raw)
    except BadInput as error:
        return [f"{item.input}: it was answered when packaged, and now: {error.message}"]
    return [f"{item.input}: {text}." for text in golden.differences(item.answer, found, item.tolerance)]

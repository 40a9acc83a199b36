"""What commands share that look at a data set: the arguments that say which, and reading it with its corrections."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lepton.core.types import Reading
    from lepton.mending.corrections import Correction

_OPTIONS = ("format", "pattern", "text", "label")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("data", metavar="DATA", help="a path, or a built-in name")
    parser.add_argument("--task", help="the task it is meant for, where the format leaves that open")
    parser.add_argument("--format", help="the format's name, where it cannot be sniffed")
    parser.add_argument("--pattern", help='fields of file names, such as "{label}_{speaker}_{index}.wav"')
    parser.add_argument("--text", help="the column of the text")
    parser.add_argument("--label", help="the column or field of the label")


def modality(args: argparse.Namespace) -> str | None:
    """What the task is about, where one is named."""
    from lepton.core import plugins

    return str(plugins.load("tasks", args.task).MODALITY) if args.task else None


def read(args: argparse.Namespace) -> "Reading":
    """The data set that the arguments name."""
    from lepton.formats import _read

    options = {name: getattr(args, name) for name in _OPTIONS}
    return _read.read(args.data, base=Path.cwd(), modality=modality(args), **options)


def decided(path: str | None) -> "Mapping[str, Correction]":
    """The corrections that stand in the file at `path`, by content; none where no file is named."""
    from lepton.mending.corrections import standing

    return standing(Path(path)) if path else {}


def corrected(reading: "Reading", digests: Mapping[str, str], path: str | None) -> "Reading":
    """The reading with the corrections at `path` applied, and a note of what they did."""
    from lepton.checks._words import several
    from lepton.mending.mended import mend

    if path is None:
        return reading
    done = mend(reading.records, digests, decided(path))
    told = f"{path}: {several(len(done.given), 'label')} corrected, {len(done.judged) - len(done.given):,} confirmed"
    lost = f", {len(done.lost):,} of contents that are not there any more" if done.lost else ""
    return replace(reading, records=done.records, notes=[*reading.notes, told + lost])

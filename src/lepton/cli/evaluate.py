"""`lepton evaluate`: an app's scores on labelled data, with intervals."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton.cli import _apps
from lepton.cli._output import note, print_json, progress
from lepton.core.errors import UserError

if TYPE_CHECKING:
    from lepton.core.types import Record

HELP = "score an app on labelled data, raw inputs through the app"
_SHOWN = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _apps.arguments(parser)
    parser.add_argument(
        "--data", required=True, metavar="PATH", help="labelled data: a file, a folder, a built-in name"
    )
    parser.add_argument("--split", help="only the records of this split (default: test, where there is one)")
    parser.add_argument("--format", help="the data's format, where it cannot be told")
    parser.add_argument("--pattern", help="fields of the file names, such as {label}_{speaker}_{index}.wav")
    parser.add_argument("--text", help="the column of the text")
    parser.add_argument("--label", help="the column or field of the label")
    _apps.options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Print each metric with its interval, and what could not be read."""
    from lepton.formats._read import read
    from lepton.runtime.evaluate import evaluate

    app = _apps.opened(args)
    options = {name: getattr(args, name) for name in ("format", "pattern", "text", "label")}
    reading = read(args.data, base=Path.cwd(), modality=app.modality, **options)
    split = _split(reading.records, args.split)
    records = [record for record in reading.records if split in (None, record.split)]
    found = {**evaluate(app, records, progress=progress(quiet=args.json)), "split": split}
    found["bad"] += [{"id": bad.id, "reason": bad.reason} for bad in reading.bad]
    if args.json:
        print_json(found)
    else:
        _print(found)
    return 0


def _split(records: "Sequence[Record]", asked: str | None) -> str | None:
    """Choose the split to score: the one asked for, else test where there is one, since training data flatter."""
    known = sorted({record.split for record in records if record.split})
    if asked is not None and asked not in known:
        raise UserError("There is no such split", rule=f"Known: {', '.join(known) or 'none'}", received=asked)
    return asked or ("test" if "test" in known else None)


def _print(found: dict[str, Any]) -> None:
    print(f"{found['task']}, {found['n']:,} records of {found['split'] or 'all splits'}")
    for name, score in found["metrics"].items():
        print(f"{name:<18} {score['value']:.4f}  (95 % interval {score['low']:.4f} to {score['high']:.4f})")
    _print_open(found["open_set"])
    if found["unlabelled"]:
        note(f"{found['unlabelled']:,} records have no label and do not count.")
    if found["bad"]:
        note(f"{len(found['bad']):,} records cannot be read and do not count:")
    for bad in found["bad"][:_SHOWN]:
        note(f"  {bad['id']}: {bad['reason']}")


def _print_open(found: dict[str, Any] | None) -> None:
    """What abstaining does; nothing of an app that does not."""
    if found is None:
        return
    said = {"kept of the known": "kept", "rejected of the unknown": "rejected", "known from unknown": "auroc"}
    for name, key in said.items():
        if (score := found[key]) is not None:
            print(f"{name:<24} {score['value']:.4f}  (95 % interval {score['low']:.4f} to {score['high']:.4f})")
    if found["unknown"]:
        names = ", ".join(found["labels"][:_SHOWN]) + (", ..." if len(found["labels"]) > _SHOWN else "")
        note(f"{found['unknown']:,} records have labels that are no classes ({names}), and count as unknown.")

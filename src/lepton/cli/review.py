"""`lepton review`: doubtful labels out for people to look at, and their corrections back."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lepton.cli import _data, _models
from lepton.cli._output import note, print_json, progress
from lepton.core.errors import UserError

if TYPE_CHECKING:
    from lepton.checks._finding import Finding
    from lepton.core.types import Record
    from lepton.mending.corrections import Correction
    from lepton.mending.queue import Answer, Doubt

HELP = "doubtful labels out for people to look at, and their corrections back"
_FILE = "corrections.sqlite"
_SHOWN = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _data.arguments(parser)
    _models.arguments(parser)
    parser.add_argument(
        "-o", "--out", default="review", metavar="DIR", help="write the queue there (default review): "
        "review.csv, and for Label Studio label_studio.json with label_studio.xml",
    )  # fmt: skip
    parser.add_argument(
        "-c", "--corrections", default=_FILE, metavar="FILE", help=f"the file of corrections (default {_FILE})"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--import", dest="back", metavar="FILE", help="take corrections from a filled-in CSV or a Label Studio export"
    )
    what.add_argument("--history", action="store_true", help="list every correction ever made")
    what.add_argument("--undo", type=int, metavar="NUMBER", help="take a correction back")
    parser.add_argument("--by", default="", metavar="NAME", help="who made the corrections, or undoes one")
    parser.add_argument("--why", default="", metavar="TEXT", help="why one is undone")
    parser.add_argument("--new-labels", action="store_true", help="corrections may say classes that are new")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Export the queue, or do with the corrections what was asked."""
    if args.history:
        return _history(args)
    if args.undo is not None:
        return _undo(args)
    return _import(args) if args.back else _export(args)


def _export(args: argparse.Namespace) -> int:
    from lepton.checks import _content
    from lepton.checks._words import several
    from lepton.mending import labels, mended, queue

    records = _data.read(args).records
    shown = progress(quiet=args.json)
    digests = _content.digests(records, progress=shown)
    known = _data.decided(args.corrections) if Path(args.corrections).exists() else {}
    done = mended.mend(records, digests, known)
    found = queue.doubts(done.records, _findings(args, done.records, digests), digests)
    left = [doubt for doubt in found if doubt.record.id not in done.judged]
    paths = _write(Path(args.out), left, labels.known(done.records))
    told = {"doubtful": len(left), "judged": len(done.judged), "lost": [item.record for item in done.lost]}
    if args.json:
        print_json({**told, "files": [str(path) for path in paths]})
        return 0
    print(f"{several(len(left), 'label')} to look at; {several(len(done.judged), 'record')} decided on already")
    print(f"fill in the column correction of {paths[0]}, or import {paths[1]} into Label Studio; then")
    print(f"  lepton review {args.data} --import FILE --by NAME -c {args.corrections}")
    _tell_lost(done.lost)
    return 0


def _findings(args: argparse.Namespace, records: "Sequence[Record]", digests: Mapping[str, str]) -> "list[Finding]":
    """What the checks find that need no more than contents and, where models can be had, their predictions."""
    from lepton.checks import _audit, _near

    shown = progress(quiet=args.json)
    clusters = _near.tied(_near.pairs(records, digests, progress=shown))
    judged, notes = _models.predictions(args, records, clusters=clusters, progress=shown)
    for line in notes:
        note(line)
    return _audit.findings(records, {"digests": digests, **judged})


def _write(folder: Path, found: "Sequence[Doubt]", names: Sequence[str]) -> list[Path]:
    """Write the queue as a table and as tasks, which choose from `names`, and give the files."""
    from lepton.core import files
    from lepton.mending import label_studio, queue

    paths = [folder / name for name in ("review.csv", "label_studio.json", "label_studio.xml")]
    # The mark at the beginning tells spreadsheets that the table is in UTF-8.
    files.write_text(paths[0], "\ufeff" + queue.table(found))
    files.write_json(paths[1], label_studio.tasks(found))
    files.write_text(paths[2], label_studio.layout(found[0].record, names) if found else "<View/>\n")
    return paths


def _import(args: argparse.Namespace) -> int:
    from lepton.checks import _content
    from lepton.checks._words import several
    from lepton.mending import corrections, queue

    said = _said(Path(args.back), args.by)
    records = _data.read(args).records
    digests = _content.digests(records, progress=progress(quiet=args.json))
    found = queue.taken(said, records, digests, new_labels=args.new_labels)
    for name, reason in found.refused:
        note(f"refused: {name}: {reason}")
    if found.refused and not found.corrections:
        raise UserError(f"None of {several(len(found.refused), 'correction')} could be taken", rule=found.refused[0][1])
    changed = sum(item.label != item.given for item in found.corrections)
    count = corrections.add(Path(args.corrections), found.corrections)
    if args.json:
        refused = [{"id": name, "reason": reason} for name, reason in found.refused]
        print_json({"file": args.corrections, "taken": count, "changed": changed, "refused": refused})
        return 0
    told = f"{several(changed, 'label')} corrected, {count - changed:,} confirmed"
    print(f"{args.corrections} has {several(count, 'new decision')}: {told}")
    print(f'apply them with data.corrections = "{args.corrections}" in a recipe, or lepton audit DATA -c FILE')
    return 0


def _said(path: Path, by: str) -> "list[Answer]":
    """What the file says, a table or an export of Label Studio."""
    from lepton.formats import _text
    from lepton.mending import label_studio, queue

    text, _ = _text.load(path)
    read = label_studio.answers if text.lstrip().startswith(("[", "{")) else queue.answers
    found = read(text, by)
    if not found:
        raise UserError(f"{path} holds no corrections", rule="The column correction is filled in, or tasks are done")
    return found


def _history(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from lepton.mending.corrections import history

    found = history(Path(args.corrections))
    if args.json:
        print_json([asdict(item) for item in found])
        return 0
    for item in found:
        print(_line(item))
    return 0


def _line(item: "Correction") -> str:
    from lepton.checks._words import label_text

    why = f" ({item.why})" if item.why else ""
    undone = f", undone {item.undone}" if item.undone else ""
    change = f"{label_text(item.given)} -> {label_text(item.label)}"
    return f"{item.number:>6}  {item.at}  {item.who}  {item.record}: {change}{why}{undone}"


def _undo(args: argparse.Namespace) -> int:
    from lepton.mending.corrections import undo

    found = undo(Path(args.corrections), args.undo, who=args.by, why=args.why)
    if args.json:
        print_json({"undone": found.number, "id": found.record})
    else:
        print(f"undone: {_line(found)}")
    return 0


def _tell_lost(lost: "Sequence[Correction]") -> None:
    from lepton.checks._words import several

    if lost:
        names = ", ".join(item.record for item in lost[:_SHOWN])
        note(f"{several(len(lost), 'correction')} of contents that are not there any more do not count: {names}")

"""`lepton convert`: a data set in another format."""

import argparse
from pathlib import Path

from lepton.cli._output import print_json, progress
from lepton.core.errors import UserError

HELP = "write a data set in another format: COCO, Pascal VOC, YOLO, CoNLL, SQuAD, ..."
_OPTIONS = ("pattern", "text", "label")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="SRC", help="a path, or a built-in name")
    parser.add_argument("place", metavar="DST", help="the new folder")
    parser.add_argument("--format", required=True, help="the format to write")
    parser.add_argument("--from", dest="read_as", metavar="FORMAT", help="the source's format, where it is not clear")
    parser.add_argument("--task", help="the task the source is meant for, where its format leaves that open")
    parser.add_argument("--pattern", help='fields of file names, such as "{label}_{speaker}_{index}.wav"')
    parser.add_argument("--text", help="the column of the text")
    parser.add_argument("--label", help="the column or field of the label")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Read, write, and say what could not be carried; an existing folder is left alone."""
    from lepton.core import plugins
    from lepton.formats import _read, _write

    place = Path(args.place)
    if place.resolve().is_relative_to(Path(args.source).resolve()):
        raise UserError(f"{place} lies in the source", rule="The source is left as it is", remedy="Name another folder")
    task = plugins.load("tasks", args.task) if args.task else None
    asked = {"modality": getattr(task, "MODALITY", None), "labels": getattr(task, "LABELS", None)}
    options = {name: getattr(args, name) for name in _OPTIONS}
    reading = _read.read(args.source, base=Path.cwd(), format=args.read_as, **asked, **options)
    lost = _write.write(reading, place, format=args.format, progress=progress(quiet=args.json))
    told = {"place": str(place), "format": args.format, "records": len(reading.records), "not_carried": lost}
    if args.json:
        print_json({**told, "notes": list(reading.notes)})
        return 0
    print(f"{place}: {len(reading.records):,} records as {args.format}")
    for note in reading.notes:
        print(f"  note: {note}")
    for line in lost:
        print(f"  not carried: {line}")
    return 0

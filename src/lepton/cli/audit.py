"""`lepton audit`: what a data set holds and what is wrong with it."""

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton.cli import _data, _models
from lepton.cli._output import note, print_json, progress

if TYPE_CHECKING:
    from types import ModuleType

    from lepton.core.types import Reading, Record
    from lepton.report.audit import Source

_TRIED = 8  # records that tell which transform decodes them

HELP = "the data report: formats, label errors, duplicates, leaks, imbalance"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _data.arguments(parser)
    _models.arguments(parser)
    parser.add_argument("-c", "--corrections", metavar="FILE", help="apply the corrections that lepton review keeps")
    parser.add_argument("-o", "--out", metavar="DIR", help="write index.html and audit.json there")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Read, check and print; exit code 0 whatever was found."""
    from lepton.checks import _audit, _content, _near, _traits
    from lepton.report.audit import Source

    reading = _data.read(args)
    shown = progress()
    digests = _content.digests(reading.records, progress=shown)
    reading = _data.corrected(reading, digests, args.corrections)
    near = _near.pairs(reading.records, digests, progress=shown)
    clusters = _near.tied(near)
    judged, notes = _models.predictions(args, reading.records, clusters=clusters, progress=shown)
    seen = _traits.traits(reading.records, progress=shown)
    given = {"digests": digests, "near": near, "traits": seen, **judged, **_decoder(reading, _data.modality(args))}
    found = _audit.audit(replace(reading, notes=[*reading.notes, *notes]), given)
    if args.out:
        _write(found, Source(args.data, reading.records, near), Path(args.out))
    if args.json:
        print_json(found)
    else:
        _print(found)
    return 0


def _write(found: dict[str, Any], source: "Source", folder: Path) -> None:
    """Write the page and the JSON; where the page's template engine is not installed, the JSON and a note."""
    from lepton.core import files
    from lepton.core.errors import MissingExtra
    from lepton.report import audit

    files.write_json(folder / "audit.json", found)
    try:
        audit.write(found, source, folder)
    except MissingExtra as error:
        note(error.message)


def _decoder(reading: "Reading", modality: str | None) -> dict[str, Any]:
    """What tells whether media can be decoded: the transform that decodes most of the first ones.

    Texts were decoded as they were read.
    """
    from lepton.core import plugins

    media = [record for record in reading.records if not isinstance(record.raw, str)][:_TRIED]
    loaded = [plugins.load("transforms", name) for name in plugins.names("transforms")]
    able = [module for module in loaded if hasattr(module, "decode") and module.MODALITY != "text"]
    fitting = [module for module in able if modality in (None, module.MODALITY)]
    counts = [sum(_decodes(module, record) for record in media) for module in fitting]
    return {"encoder": fitting[counts.index(max(counts))].decode} if max(counts, default=0) else {}


def _decodes(module: "ModuleType", record: "Record") -> bool:
    from lepton.core.errors import UserError

    try:
        module.decode(record.read())
    except (UserError, OSError):
        return False
    return True


def _print(found: dict[str, Any]) -> None:
    print(f"{found['records']:,} records")
    for remark in found["notes"]:
        print(f"  note: {remark}")
    for reason, count in Counter(item["reason"] for item in found["bad"]).most_common():
        print(f"  set aside: {count:,}, {reason}")
    for finding in found["findings"]:
        print(f"{finding['severity']:<8}{finding['check']}: {finding['message']}")
        for record in finding["records"][:5]:
            print(f"          {record['id']}{_instead(record)}")
        print(f"          -> {finding['remedy']}")
    if not found["findings"]:
        print("nothing found")


def _instead(record: dict[str, Any]) -> str:
    """What a record is labelled and what it should perhaps be."""
    return f": {record['given']}, perhaps {record['suggested']}" if record["suggested"] else ""

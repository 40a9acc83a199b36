"""`lepton join`: runs that adapted one network, as one app."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lepton.cli import _runs
from lepton.cli._output import print_json, progress
from lepton.core.errors import UserError

if TYPE_CHECKING:
    from lepton.stages._join import Compared

HELP = "one app from several runs that adapted the same network"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    runs = "a run with [adapt], its adapter named as its folder, or NAME=RUN"
    parser.add_argument("runs", metavar="RUN", nargs="+", help=runs)
    parser.add_argument("-o", "--out", metavar="APP", required=True, help="the app's folder")
    parser.add_argument("--name", help="the app's name (default: its folder's)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Write the app, and print how near each adapter's answers are to those of its run."""
    _runs.road("join")
    from lepton.stages import _join

    out = Path(args.out)
    runs = _named(args.runs)
    found = _join.join(runs, out, name=args.name or out.resolve().name, progress=progress(quiet=args.quiet))
    if args.json:
        print_json({"app": str(out), "adapters": [asdict(each) for each in found]})
        return 0
    for line in _lines(found, out):
        print(line)
    return 0


def _named(given: Sequence[str]) -> dict[str, Path]:
    """The runs by their adapters' names. Raises UserError where two have one name."""
    runs: dict[str, Path] = {}
    for each in given:
        name, sign, folder = each.partition("=")
        run = Path(folder) if sign and not Path(each).exists() else Path(each)
        name = name if sign and not Path(each).exists() else run.resolve().name
        if name in runs:
            rule = "Each adapter of an app has a name of its own"
            raise UserError("Two adapters have one name", rule=rule, received=name, remedy="Say NAME=RUN for one")
        runs[name] = run
    return runs


def _lines(found: "Sequence[Compared]", out: Path) -> list[str]:
    head = f"{out}: one network, {len(found)} adapters; their logits beside those of each run's own network:"
    rows = [
        f"  {each.adapter}: {each.classes} classes, {each.records} validation records, "
        f"apart by {each.largest_change:.1e} at most (logits of up to {each.largest_logit:.3g})"
        for each in found
    ]
    return [head, *rows, f"serve    lepton serve {out}"]

"""`lepton check`: every fault of a recipe at once; runs nothing."""

import argparse
from collections.abc import Sequence

from lepton.cli._output import print_json
from lepton.core.errors import Faults, MissingExtra

HELP = "name every fault of a recipe at once; runs nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe, a TOML file")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Check the recipe; exit code 2 when anything is wrong."""
    try:
        from lepton.stages import _road
    except ModuleNotFoundError as error:
        raise MissingExtra(f"lepton check needs {error.name}, which is not installed", "train") from error
    try:
        recipe = _road.check(args.recipe, args.set)
    except Faults as faults:
        if not args.json:
            raise
        print_json({"ok": False, "faults": _told(faults.faults)})
        return faults.exit_code
    if args.json:
        print_json({"ok": True, "faults": [], "resolved": recipe.table})
    else:
        print(f"{args.recipe} is sound: {' -> '.join(_road.stage_order())}")
    return 0


def _told(faults: Sequence[Exception]) -> list[dict[str, str]]:
    names = ("what", "rule", "received", "remedy")
    return [{name: str(getattr(fault, name, "")) for name in names} for fault in faults]

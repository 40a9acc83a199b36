"""`lepton run`: a recipe down the road, from data to app."""

import argparse
from pathlib import Path
from typing import Any

from lepton.cli._output import note, print_json, progress
from lepton.core.errors import ContractNotKept, MissingExtra

HELP = "take a recipe from data to a packaged app"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe, a TOML file")
    parser.add_argument("-o", "--out", metavar="DIR", help="the run's folder (default runs/<app name>)")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe")
    parser.add_argument("--until", metavar="STAGE", help="stop after this stage")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Run it, write the report, and print what came out."""
    try:
        from lepton.stages import _road
    except ModuleNotFoundError as error:
        raise MissingExtra(f"lepton run needs {error.name}, which is not installed", "train") from error
    from lepton.report import html, summary

    recipe = _road.check(args.recipe, args.set)
    folder = _road.folder_for(recipe, args.out)
    try:
        done = _road.run(recipe, out=folder, until=args.until, progress=progress(quiet=args.quiet))
    except ContractNotKept:
        note(f"The report says how near each candidate came: {html.write(folder)}")
        raise
    page = html.write(done.folder)
    told = summary.summarise(done.folder)
    if args.json:
        print_json({**told, "run": str(done.folder), "report": str(page), "skipped": list(done.skipped)})
        return 0
    for line in _lines(told, done.folder, page):
        print(line)
    return 0


def _lines(told: dict[str, Any], folder: Path, page: Path) -> list[str]:
    """What a person wants to know, the most important first."""
    found = [told["headline"]] if told.get("headline") else []
    found += [f"  {line}" for line in told.get("contract_lines", [])]
    found.append(f"report   {page}")
    if (folder / "app").is_dir():
        found += [f"app      {folder / 'app'}", f"serve    lepton serve {folder / 'app'}"]
    return found

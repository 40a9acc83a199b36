"""What commands share that take a recipe down the road: the research side where it is installed, the run, the print."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lepton.cli._output import note, print_json, progress
from lepton.core.errors import ContractNotKept, MissingExtra

if TYPE_CHECKING:
    from lepton.stages._recipe import Recipe


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that say how the recipe is changed and how the run is told."""
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change a value of the recipe")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def road(command: str) -> ModuleType:
    """The road that runs the stages; raises MissingExtra where the research side is not installed."""
    try:
        from lepton.stages import _road
    except ModuleNotFoundError as error:
        raise MissingExtra(f"lepton {command} needs {error.name}, which is not installed", "train") from error
    return _road


def led(command: str, work: Callable[[ModuleType], int]) -> int:
    """The exit code of `work(road)`, which the first of the processes that a launcher started does; the others help."""
    found = road(command)
    from lepton.training import processes

    return processes.led(lambda: work(found))


def go(recipe: "Recipe", folder: Path, args: argparse.Namespace, *, until: str | None = None) -> int:
    """Run the recipe into `folder`, write the report, and print what came out; raises ContractNotKept after a note."""
    from lepton.report import html, summary
    from lepton.stages import _road

    try:
        done = _road.run(recipe, out=folder, until=until, progress=progress(quiet=args.quiet))
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
    found += [f"method   {told['methods']['why']}"] if told.get("methods") else []
    found += [f"labels   {told['curve']['told']}"] if told.get("curve") else []
    found.append(f"report   {page}")
    if (folder / "app").is_dir():
        found += [f"app      {folder / 'app'}", f"serve    lepton serve {folder / 'app'}"]
    return found

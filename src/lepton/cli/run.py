"""`lepton run`: a recipe down the road, from data to app."""

import argparse
from types import ModuleType

from lepton.cli import _runs

HELP = "take a recipe from data to a packaged app"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe, a TOML file")
    parser.add_argument("-o", "--out", metavar="DIR", help="the run's folder (default runs/<app name>)")
    parser.add_argument("--until", metavar="STAGE", help="stop after this stage")
    _runs.arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run it, write the report, and print what came out."""
    return _runs.led("run", lambda road: _run(road, args))


def _run(road: ModuleType, args: argparse.Namespace) -> int:
    recipe = road.check(args.recipe, args.set)
    return _runs.go(recipe, road.folder_for(recipe, args.out), args, until=args.until)

"""`lepton list`: what is installed."""

import argparse
import ast
import importlib
from pathlib import Path

from lepton.cli._output import print_json
from lepton.core import plugins

HELP = "what is installed in a room: tasks, models, formats, ..."
ROOMS = (
    "tasks",
    "models",
    "transforms",
    "formats",
    "metrics",
    "checks",
    "compress",
    "adapt",
    "explain",
    "stages",
    "streams",
    "deploy",
    "cli",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("room", choices=ROOMS, metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--json", action="store_true", help="print one JSON list of names")


def main(args: argparse.Namespace) -> int:
    """Print the names of a room's plug-ins and the first line of what each says of itself."""
    names = plugins.names(args.room)
    if args.json:
        print_json(names)
        return 0
    width = max(map(len, names), default=0)
    for name in names:
        print(f"{name:<{width}}  {_first_line(args.room, name)}".rstrip())
    return 0


def _first_line(room: str, name: str) -> str:
    """The first line of a plug-in's docstring, from its source: nothing is imported."""
    stem = name.replace("-", "_")
    folders = importlib.import_module(f"lepton.{room}").__path__
    for path in (found for folder in folders for found in _candidates(folder, stem)):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        return text.partition("\n")[0]
    return "(from another package)"


def _candidates(folder: str, stem: str) -> list[Path]:
    paths = (Path(folder) / f"{stem}.py", Path(folder) / stem / "__init__.py")
    return [path for path in paths if path.exists()]

"""`lepton predict`: answers of an app, one JSON line for each input."""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lepton.cli import _apps
from lepton.cli._output import print_line
from lepton.core.errors import BadInput, UserError

if TYPE_CHECKING:
    from lepton.core.types import Raw
    from lepton.runtime.app import App

HELP = "answer files or texts, one JSON line for each"
_TOGETHER = 64


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _apps.arguments(parser)
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="files for images and sound, texts for text; @FILE or - reads one"
    )
    parser.add_argument("--full", action="store_true", help="the full answer, with every label's score")
    _apps.options(parser)


def main(args: argparse.Namespace) -> int:
    """Print one JSON line for each input: `{"input", "answer"}` or `{"input", "error"}`."""
    app = _apps.opened(args)
    pairs = iter([_input(given, app.modality) for given in args.inputs])
    failed = 0
    while chunk := list(islice(pairs, _TOGETHER)):
        failed += _answer(app, chunk, full=args.full)
    return UserError.exit_code if failed else 0


def _answer(app: "App", chunk: Sequence[tuple[str, "Raw | Path"]], *, full: bool) -> int:
    """Print the lines of some inputs, and give the number without an answer."""
    answers = app.attempt([raw for _, raw in chunk])
    for (name, _), answer in zip(chunk, answers, strict=True):
        if isinstance(answer, BadInput):
            print_line({"input": name, "error": answer.message})
        else:
            print_line({"input": name, "answer": answer if full else app.brief(answer)})
    return sum(isinstance(answer, BadInput) for answer in answers)


def _input(given: str, modality: str) -> tuple[str, "Raw | Path"]:
    """What an argument names: text itself for text, a file for media; `-` is standard input, `@` a file."""
    if given == "-":
        data = sys.stdin.buffer.read()
        return given, data.rstrip(b"\r\n") if modality == "text" else data
    if given.startswith("@"):
        return given[1:], Path(given[1:])
    return given, given if modality == "text" else Path(given)

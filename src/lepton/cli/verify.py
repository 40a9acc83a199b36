"""`lepton verify`: whether the app is what was packaged, and keeps its contract on this machine."""

import argparse
from pathlib import Path
from typing import Any

from lepton.cli._output import note, print_json
from lepton.core.errors import ContractNotKept, UserError

HELP = "check an app's hashes and golden answers, and with --contract its latency and size here"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("app", metavar="APP", help="an app's folder, or a run's")
    parser.add_argument("--contract", action="store_true", help="measure latency and size again on this machine")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Print every problem; exit with 2 when the app is not what was packaged, 3 when its contract is not kept."""
    from lepton.runtime.app import find

    folder = find(Path(args.app))
    problems = _problems(folder)
    terms, warnings = _terms(folder) if args.contract and not problems else ([], [])
    _print({"problems": problems, "contract": terms, "warnings": warnings}, as_json=args.json)
    if problems:
        return UserError.exit_code
    return 0 if all(term["kept"] for term in terms if term["kept"] is not None) else ContractNotKept.exit_code


def _problems(folder: Path) -> list[str]:
    from lepton.bundle.verify import answers, verify
    from lepton.runtime.app import load

    problems = verify(folder)
    if problems:
        return problems
    return [problem for view in load(folder).views for problem in answers(view.bundle, view.predict)]


def _terms(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    from lepton.runtime.contract import measure_again, warnings

    return measure_again(folder), warnings(folder)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for problem in found["problems"]:
        print(problem)
    for term in found["contract"]:
        print(_sentence(term))
    for warning in found["warnings"]:
        note(f"warning: {warning}")
    if not found["problems"]:
        print("The app is what was packaged: every hash and every golden answer is right.")


def _sentence(term: dict[str, Any]) -> str:
    if term["kept"] is None:
        return f"{term['term']}: not measured here ({term['note']})"
    return f"{term['term']}: {term['found']:.4g}, at most {term['most']:.4g}: {'kept' if term['kept'] else 'NOT KEPT'}"

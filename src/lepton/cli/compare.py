"""`lepton compare`: two runs side by side, with paired intervals."""

import argparse
import json
from typing import Any

from lepton.cli._output import print_json

HELP = "two runs side by side: scores with paired intervals, size, latency, settings that differ"
_WIDTH = 34


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("first", metavar="RUN", help="a run's folder")
    parser.add_argument("second", metavar="RUN", help="another run's folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Print the two runs in columns, then what differs."""
    from lepton.report.compare import compare

    found = compare(args.first, args.second)
    if args.json:
        print_json(found)
        return 0
    for line in [*_columns(*found["runs"]), *_paired(found["paired"]), *_settings(found["settings"])]:
        print(line.rstrip())
    return 0


def _columns(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    from lepton.report import _words

    forms = {
        "run": str,
        "status": str,
        "plan": str,
        "size_mb": _words.megabytes,
        "model_p50_ms": _words.milliseconds,
        "p50_ms": _words.milliseconds,
        "p95_ms": _words.milliseconds,
        "parameters": "{:,}".format,
    }
    names = [name for name in forms if first[name] is not None or second[name] is not None]
    lines = [_line(name, *(_said(run[name], forms[name]) for run in (first, second))) for name in names]
    scores = dict.fromkeys([*first["metrics"], *second["metrics"]])
    return lines + [
        _line(name, *(_said(run["metrics"].get(name), _words.interval) for run in (first, second))) for name in scores
    ]


def _paired(found: dict[str, Any]) -> list[str]:
    if not found["n"]:
        return ["", "They share no test record, so there is no paired interval."]
    said = ["", f"second minus first on the {found['n']:,} test records that both answered (95 % interval, points):"]
    for name, item in found["metrics"].items():
        clear = "" if item["low"] <= 0 <= item["high"] else "  a clear difference"
        ends = f"({100 * item['low']:+.2f} to {100 * item['high']:+.2f})"
        said.append(_line(f"  {name}", f"{100 * item['value'] + 0.0:+.2f} {ends}", clear))
    alone = found["first_only"] + found["second_only"]
    return [*said, f"  {alone:,} test records were answered by one run only"] if alone else said


def _settings(found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return ["", "Their settings are the same."]
    lines = [_line(f"  {row['place']}", json.dumps(row["first"]), json.dumps(row["second"])) for row in found]
    return ["", "settings that differ:", *lines]


def _line(name: str, first: str, second: str) -> str:
    return f"{name.replace('_', ' ') if not name.startswith('  ') else name:<26} {first:<{_WIDTH}} {second}"


def _said(value: Any, form: Any) -> str:
    return "-" if value is None else str(form(value))

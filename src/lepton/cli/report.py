"""`lepton report`: a run as one HTML page and one JSON document."""

import argparse
from pathlib import Path

from lepton.cli._output import print_json

HELP = "write a run's report: one HTML file, and its figures as JSON"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="a run's folder")
    parser.add_argument("-o", "--out", metavar="DIR", help="where to write (default: report in the run's folder)")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, and write no page unless -o is given"
    )


def main(args: argparse.Namespace) -> int:
    """Write the page and print where it is, or print the figures."""
    from lepton.report import html, summary

    if not args.json or args.out:
        page = html.write(Path(args.run), args.out)
    if args.json:
        print_json(summary.summarise(args.run))
    else:
        print(page)
    return 0

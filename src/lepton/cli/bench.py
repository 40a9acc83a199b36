"""`lepton bench`: how fast an app answers here."""

import argparse
from pathlib import Path

from lepton.cli import _apps
from lepton.cli._arguments import amount, count
from lepton.cli._output import note, print_json

HELP = "latency percentiles, throughput, memory and size of an app"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _apps.arguments(parser)
    parser.add_argument("--batch", type=count, default=1, help="inputs given together (default 1)")
    _apps.options(parser)
    parser.add_argument("--seconds", type=amount, default=2.0, help="how long to measure (default 2)")
    parser.add_argument("--input", nargs="+", metavar="FILE", help="inputs of your own; else the golden ones")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Measure from raw input to answer, and print what was found."""
    from lepton.runtime.app import as_raw
    from lepton.runtime.bench import measure, measure_adapters
    from lepton.runtime.samples import samples

    app = _apps.opened(args)
    raws, kind = samples(app)
    if args.input:
        raws, kind = [as_raw(Path(name), app.modality) for name in args.input], "given"
    found = measure(app, raws, batch=args.batch, seconds=args.seconds)
    rows = [] if args.adapter else measure_adapters(app, raws, batch=args.batch, seconds=args.seconds)
    note(f"Measured on {len(raws)} {kind} inputs.")
    if args.json:
        print_json({**found, "adapters": rows} if rows else found)
        return 0
    for name, value in found.items():
        print(f"{name:<14}{value:>12,.4g}")
    for row in rows:
        print(
            f"{row['adapters']} adapters in turn: p50 {row['p50_ms']:.4g} ms, p95 {row['p95_ms']:.4g} ms, "
            f"{row['resident_mb']:.4g} MB resident"
        )
    return 0

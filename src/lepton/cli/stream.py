"""`lepton stream`: inputs from a folder, from lines or from a broker, answers to another."""

import argparse
import signal
from contextlib import closing
from threading import Event
from typing import Any

from lepton.cli._arguments import count
from lepton.cli._output import note, progress
from lepton.core.errors import UserError

HELP = "answer what comes in a folder, in lines or through a broker"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("app", metavar="APP", help="an app's folder, or a run's")
    places = "- for lines, folder:PATH, redis://HOST:PORT/STREAM; settings follow a ? as in folder:in?settle=2"
    parser.add_argument(
        "--from", dest="source", metavar="SOURCE", required=True, help=f"where inputs come from: {places}"
    )
    parser.add_argument("--to", dest="sink", metavar="SINK", default="-", help="where answers go, likewise (default -)")
    parser.add_argument("--full", action="store_true", help="full answers, with every label's score")
    parser.add_argument("--threads", type=count, default=1, help="threads of a graph (default 1)")


def main(args: argparse.Namespace) -> int:
    """Answer until the source is at its end or a signal comes; what was taken is answered first."""
    from lepton.runtime.app import load
    from lepton.streams import _flow

    if args.source != "-" and _flow.place(args.source)[:2] == _flow.place(args.sink)[:2]:
        rule = "Answers would come back as inputs"
        raise UserError(
            "Source and sink are the same", rule=rule, received=_flow.shown(args.sink), remedy="Name another with --to"
        )
    app = load(args.app, threads=args.threads)
    with closing(_flow.source(args.source, app.modality)) as source, closing(_flow.sink(args.sink)) as sink:
        stop = _stop()
        note(f"{app.name} answers what comes from {_flow.shown(args.source)} (Ctrl + C ends it)")
        _flow.flow(app, (source, sink), stop=stop, full=args.full, progress=progress())
    return 0


def _stop() -> Event:
    """An event that the first signal to end sets; the second ends at once."""
    event = Event()

    def hear(number: int, _: Any) -> None:
        event.set()
        signal.signal(number, signal.SIG_DFL)

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, hear)
    return event

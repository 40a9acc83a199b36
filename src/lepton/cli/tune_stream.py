"""`lepton tune-stream`: the settings with which an app hears events in a stream, fitted to a recording."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton.cli._arguments import amount, count
from lepton.cli._output import note, print_json, progress
from lepton.core.errors import ContractNotKept

if TYPE_CHECKING:
    from lepton.runtime.app import App

HELP = "fit smoothing, threshold and refractory time to a labelled recording"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("app", metavar="APP", help="an app's folder, or a run's")
    parser.add_argument(
        "--recording", required=True, type=Path, metavar="FILE", help="a long WAV, FLAC, OGG, AIFF, MP3"
    )
    events = "a table with the columns label,start,end (seconds), a row an event"
    parser.add_argument("--events", required=True, type=Path, metavar="CSV", help=events)
    parser.add_argument("--ignore", action="append", default=[], metavar="LABEL", help="a label that is no event")
    limit = "false accepts an hour that are allowed (default 1)"
    parser.add_argument("--max-false-per-hour", type=amount, default=1.0, metavar="X", help=limit)
    within = "how late after its end an event may be decided (default 300)"
    parser.add_argument("--within-ms", type=amount, default=300.0, metavar="MS", help=within)
    parser.add_argument("--window-ms", type=amount, metavar="MS", help="answered at a time (default: the app's length)")
    parser.add_argument("--hop-ms", type=amount, default=50.0, metavar="MS", help="from window to window (default 50)")
    parser.add_argument("-o", "--out", type=Path, default=Path("stream"), metavar="DIR", help="folder (default stream)")
    parser.add_argument("--threads", type=count, default=1, help="threads of a graph (default 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Write `stream.json`, `tuning.json` and `index.html`, and print what came out."""
    from lepton.core import files
    from lepton.runtime.app import load
    from lepton.streams import _tuning_page

    facts = _fit(load(args.app, threads=args.threads), args)
    files.write_json(args.out / "tuning.json", facts)
    files.write_text(args.out / "index.html", _tuning_page.page(facts))
    if facts["kept"]:
        files.write_json(args.out / "stream.json", facts["settings"])
    _tell(facts, args)
    if not facts["kept"]:
        remedy = "Allow more with --max-false-per-hour, or train the app on such sounds"
        raise ContractNotKept(_tuning_page.headline(facts), remedy=remedy)
    return 0


def _fit(app: "App", args: argparse.Namespace) -> dict[str, Any]:
    """What is told of the best settings for the recording."""
    from lepton.streams import _recording, _tune
    from lepton.streams._detector import listening

    asked = {"hop_ms": args.hop_ms, "window_ms": args.window_ms, "ignore": args.ignore}
    start = listening({**asked, "silence_db": _tune.SILENCES[0]}, app)
    labels = [name for name in app.manifest.classes if name not in args.ignore]
    events = _recording.events(args.events, labels, _recording.duration(args.recording))
    shown = progress(quiet=args.json)
    heard = _recording.hear(app, args.recording, start, progress=shown)
    known = _tune.truth(events, heard.seconds, args.within_ms / 1000)
    limit = args.max_false_per_hour
    tuning = _tune.tune(heard, known, start, limit=limit, progress=shown)
    about = {"name": app.name, "app": app.bundle.id, "recording": args.recording.name, "limit": limit}
    return {**about, **_tune.facts(heard, known, tuning)}


def _tell(facts: dict[str, Any], args: argparse.Namespace) -> None:
    from lepton.streams import _tuning_page

    if args.json:
        print_json(facts)
        return
    if facts["kept"]:
        print(_tuning_page.headline(facts))
        print(f"settings {args.out / 'stream.json'}: a client's first frame")
    note(f"page {args.out / 'index.html'}")

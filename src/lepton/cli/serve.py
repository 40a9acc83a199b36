"""`lepton serve`: several apps in one server."""

import argparse

from lepton.cli._arguments import amount, count
from lepton.cli._output import note

HELP = "serve one or several apps over HTTP"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("apps", metavar="APP", nargs="+", help="an app's folder or a run's, or NAME=FOLDER")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0 for a free one (default 8000)")
    parser.add_argument("--workers", type=count, default=1, help="processes (default 1)")
    parser.add_argument("--threads", type=count, default=1, help="threads of a graph (default 1)")
    parser.add_argument("--max-body-mb", type=amount, default=16.0, help="largest body in MiB (default 16)")


def main(args: argparse.Namespace) -> int:
    """Load the apps, say where they are served, and serve until a signal comes."""
    from lepton.serve._inputs import Limits
    from lepton.serve.server import Options, bind, load_all, serve

    limits = Limits(body=int(args.max_body_mb * 2**20))
    options = Options(host=args.host, port=args.port, workers=args.workers, threads=args.threads, limits=limits)
    with bind(options) as listener:
        apps = load_all(args.apps, threads=args.threads)
        port = listener.getsockname()[1]
        note(f"Serving {', '.join(apps)} on http://{_shown(args.host)}:{port} (Ctrl + C ends it)")
        serve(apps, listener, folders=args.apps, options=options)
    return 0


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host

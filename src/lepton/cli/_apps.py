"""What commands share that answer with an app: the arguments that name it, and opening it."""

import argparse
from typing import TYPE_CHECKING

from lepton.cli._arguments import count

if TYPE_CHECKING:
    from lepton.runtime.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the app's folder."""
    parser.add_argument("app", metavar="APP", help="an app's folder, or a run's")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare how it is opened."""
    parser.add_argument("--adapter", metavar="NAME", help="the adapter that answers (default: the app's first)")
    parser.add_argument("--threads", type=count, default=1, help="threads of a graph (default 1)")


def opened(args: argparse.Namespace) -> "App":
    """Load the app that is named, its adapter chosen."""
    from lepton.runtime.app import load

    app = load(args.app, threads=args.threads)
    return app.with_adapter(args.adapter) if args.adapter else app

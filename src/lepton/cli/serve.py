"""`lepton serve`: several apps in one server."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lepton.cli._arguments import amount, count
from lepton.cli._output import note
from lepton.core.errors import UserError

if TYPE_CHECKING:
    from lepton.runtime.app import App
    from lepton.serve.server import Options

HELP = "serve one or several apps over HTTP"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("apps", metavar="APP", nargs="+", help="an app's folder or a run's, or NAME=FOLDER")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0 for a free one (default 8000)")
    parser.add_argument("--grpc-port", type=int, metavar="PORT", help="port of gRPC, 0 for a free one (default: none)")
    parser.add_argument("--workers", type=count, default=1, help="processes (default 1)")
    parser.add_argument("--threads", type=count, default=1, help="threads of a graph (default 1)")
    parser.add_argument("--max-body-mb", type=amount, default=16.0, help="largest body in MiB (default 16)")
    parser.add_argument("--queue", type=count, default=64, help="requests of an app that may wait (default 64)")
    parser.add_argument("--deadline", type=amount, default=30.0, help="seconds a request may take (default 30)")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="TOML file of API keys; without, everybody may ask")
    parser.add_argument("--tls-cert", type=Path, metavar="PEM", help="certificate chain, to serve https")
    parser.add_argument("--tls-key", type=Path, metavar="PEM", help="the certificate's private key")
    parser.add_argument("--watch", type=amount, default=0.0, metavar="SECONDS", help="swap apps whose files change")
    parser.add_argument("--log", choices=("warnings", "access"), default="warnings", help="JSON lines on stderr")


def main(args: argparse.Namespace) -> int:
    """Load the apps, say where they are served, and serve until a signal comes."""
    from lepton.serve import _log
    from lepton.serve.server import bind, load_all, reserved, serve

    _log.start(access=args.log == "access")
    asked = _options(args)
    asked.guard()
    with bind(asked) as listener, reserved(asked) as options:
        apps = load_all(args.apps, threads=args.threads)
        host, port = _shown(args.host), listener.getsockname()[1]
        scheme = "https" if args.tls_cert else "http"
        more = f" and gRPC on {host}:{options.grpc_port}" if options.grpc_port is not None else ""
        told = ", ".join(_told(name, app) for name, app in apps.items())
        note(f"Serving {told} on {scheme}://{host}:{port}{more} (Ctrl + C ends it)")
        serve(apps, listener, folders=args.apps, options=options)
    return 0


def _told(name: str, app: "App") -> str:
    return f"{name} ({len(app.adapters)} adapters, as {name}.ADAPTER)" if app.adapters else name


def _options(args: argparse.Namespace) -> "Options":
    from lepton.serve._limits import Limits
    from lepton.serve.server import Options

    if bool(args.tls_cert) != bool(args.tls_key):
        raise UserError("TLS needs both of its files", remedy="Give --tls-cert and --tls-key")
    return Options(
        host=args.host,
        port=args.port,
        grpc_port=args.grpc_port,
        workers=args.workers,
        threads=args.threads,
        limits=Limits(body=int(args.max_body_mb * 2**20), queue=args.queue, seconds=args.deadline),
        keys=args.keys,
        certificate=args.tls_cert,
        private_key=args.tls_key,
        watched=args.watch,
        access=args.log == "access",
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host

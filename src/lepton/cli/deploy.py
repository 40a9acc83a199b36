"""`lepton deploy`: what another system needs to serve an app, in a folder."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton.cli._output import print_json
from lepton.core import plugins

if TYPE_CHECKING:
    from lepton.deploy._deployment import Deployment

HELP = "write an image's folder, or manifests, from which another system serves an app"
_SETTINGS = ("image", "replicas", "max_replicas", "storage_uri")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what a target has no use for it refuses."""
    targets = ", ".join(plugins.names("deploy"))
    parser.add_argument("app", metavar="APP", help="an app's folder, or a run's")
    parser.add_argument("--target", required=True, metavar="TARGET", help=f"what serves it: {targets}")
    parser.add_argument("-o", "--out", metavar="DIR", help="the folder to write (default <app name>-<target>)")
    parser.add_argument("--image", metavar="NAME", help="the image's name (default <app name>:<app id>)")
    parser.add_argument("--replicas", type=int, metavar="N", help="replicas at least")
    parser.add_argument("--max-replicas", type=int, metavar="N", help="replicas at most (default 10)")
    parser.add_argument("--storage-uri", metavar="URI", help="where KServe fetches the app from (default: the image)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(args: argparse.Namespace) -> int:
    """Write the folder and print what to type in it."""
    from lepton.bundle.manifest import read
    from lepton.core import settings
    from lepton.deploy import _deployment, _names
    from lepton.runtime.app import find

    target = plugins.load("deploy", args.target)
    given = {name: value for name in _SETTINGS if (value := getattr(args, name)) is not None}
    chosen = settings.settle(target.deploy, given, args.target)
    bundle = read(find(Path(args.app)))
    out = Path(args.out or f"{_names.label(bundle)}-{args.target}")
    _deployment.check(out)
    made = target.deploy(bundle, **chosen)
    _deployment.write(out, made)
    told = {"target": args.target, "app": bundle.id, "folder": str(out), "files": sorted(made.files)}
    _print(told, made, as_json=args.json)
    return 0


def _print(told: dict[str, Any], made: "Deployment", *, as_json: bool) -> None:
    if as_json:
        print_json({**told, "commands": made.commands})
        return
    print(f"{told['folder']}: {len(told['files'])} files for {told['target']}. In that folder:")
    for command in made.commands:
        print(f"  {command}")

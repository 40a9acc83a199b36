"""What commands share that let models judge a data set: the arguments that say how, and the predictions."""

import argparse
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lepton.core.errors import MissingExtra, UserError

if TYPE_CHECKING:
    from lepton.core.progress import Progress
    from lepton.core.types import Record


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--no-models", action="store_true", help="leave out what needs models: label errors")
    parser.add_argument("--minutes", type=float, default=5.0, help="about how long models may take (default 5)")
    parser.add_argument("--encoder", metavar="FOLDER", help="a pretrained encoder that helps to judge labels")


def predictions(
    args: argparse.Namespace, records: "Sequence[Record]", *, clusters: Mapping[str, int], progress: "Progress"
) -> tuple[dict[str, Any], list[str]]:
    """What checks that need predictions are given, which may be nothing, and notes for the reader.

    `clusters` are the near-duplicates: record id -> cluster. Raises UserError where minutes or encoder are no good.
    """
    if args.minutes <= 0:
        raise UserError(
            "There is no time for models",
            rule="--minutes must be above 0",
            received=args.minutes,
            remedy="Say --no-models",
        )
    if args.no_models:
        return {}, []
    if find_spec("sklearn") is None:
        lacking = MissingExtra("label errors were not looked for: scikit-learn is not installed", "train")
        return {}, [lacking.message]
    from lepton.stages import _out_of_fold

    asked = _out_of_fold.Asked(minutes=args.minutes, clusters=clusters, encoder=args.encoder, progress=progress)
    found = _out_of_fold.predictions(records, asked)
    return ({} if found.predictions is None else {"predictions": found.predictions}), list(found.notes)

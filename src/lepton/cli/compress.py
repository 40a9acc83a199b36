"""`lepton compress`: the search for a cheaper application around a model that was made elsewhere."""

import argparse
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lepton.cli import _runs
from lepton.cli._arguments import amount, count
from lepton.core.errors import UserError

if TYPE_CHECKING:
    from lepton.models._brought import Brought

HELP = "compress a model that you bring, within a contract"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    model = "an ONNX file, the folder of an app or a run, or a Hugging Face folder with a trained head"
    parser.add_argument("model", metavar="MODEL", help=model)
    data = "labelled data that it was not trained on: a file, a folder, a built-in name"
    parser.add_argument("--data", required=True, metavar="PATH", help=data)
    parser.add_argument("--task", help="what the model does, where it does not say so; lepton list tasks shows them")
    parser.add_argument("--name", help="the app's name (default: the model's)")
    parser.add_argument("-o", "--out", metavar="DIR", help="the run's folder (default runs/<name>-compressed)")
    parser.add_argument("--budget", type=amount, metavar="MINUTES", help="how long to search (default 10)")
    parser.add_argument("--max-drop", type=float, metavar="X", help="the largest drop of the metric, as 0.01")
    parser.add_argument("--min", type=float, metavar="X", help="the least value of the metric, as 0.9")
    parser.add_argument("--p95-ms", type=amount, metavar="X", help="the longest time from raw input to answer")
    parser.add_argument("--size-mb", type=amount, metavar="X", help="the largest size of the files needed to answer")
    parser.add_argument("--threads", type=count, default=1, help="threads that latency is measured with (default 1)")
    parser.add_argument("--batch", type=count, default=1, help="inputs that are answered at once (default 1)")
    _runs.arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Write a recipe around the model, run it, and print what came out as `lepton run` does."""
    return _runs.led("compress", lambda road: _compress(road, args))


def _compress(road: ModuleType, args: argparse.Namespace) -> int:
    import tomli_w

    from lepton.core import files

    recipe = _recipe(args)
    out = Path(args.out or Path("runs") / f"{recipe['app']['name']}-compressed")
    if Path(args.model).resolve().is_relative_to(out.resolve()):
        rule = "A run's folder is written anew, and the model lies in it"
        raise UserError(f"{out} cannot take the run", rule=rule, received=args.model, remedy="Name another with -o")
    files.write_text(out / "recipe.toml", tomli_w.dumps(recipe))
    return _runs.go(road.check(out / "recipe.toml", args.set), out, args)


def _recipe(args: argparse.Namespace) -> dict[str, Any]:
    """The recipe: the model as it is, the data, and the contract asked for."""
    model, told = _model(Path(args.model))
    latency = {"p95_ms": args.p95_ms, "batch": args.batch, "threads": args.threads}
    metric = {"max_drop": args.max_drop, "min": args.min}
    source = Path(args.data)
    return {
        "app": {"name": args.name or told.name, "task": _task(args.task, told)},
        # Nothing is trained on the training part but students: what judges them gets more of the data than usual.
        "data": {
            "source": str(source.resolve()) if source.exists() else args.data,
            "split": {"test": 0.2, "validation": 0.2},
        },
        "model": model,
        "train": {"epochs": 0},
        "compress": _said({"budget": args.budget}),
        "contract": _said({"metric": _said(metric), "latency": _said(latency), "size_mb": args.size_mb}),
    }


def _model(path: Path) -> "tuple[dict[str, Any], Brought]":
    """The recipe's [model] for what lies at `path`, by the family that brings it, and what it tells of itself."""
    from lepton.core import plugins

    for name in plugins.names("models"):
        family = plugins.load("models", name)
        given = family.bring(path) if hasattr(family, "bring") else None
        if given is not None:
            return {"name": name, **given}, family.brought(given)
    what = "is no model that can be brought" if path.exists() else "is not there"
    rule = "It must be an ONNX file, the folder of an app or a run, or a Hugging Face folder with its weights"
    raise UserError(f"{path} {what}", rule=rule, remedy="Give the path of one")


def _task(asked: str | None, told: "Brought") -> str:
    """The task asked for, else the one that the model says it does."""
    from lepton.core import plugins

    known = plugins.names("tasks")
    if asked is not None and asked not in known:
        raise plugins.unknown("task in --task", asked, known)
    if not asked and not told.task:
        rule = "A model that does not say what it does needs it said"
        raise UserError(f"The task of {told.name} is not known", rule=rule, remedy=f"Say --task: {', '.join(known)}")
    task = asked or told.task
    told.check(task)
    return task


def _said(table: dict[str, Any]) -> dict[str, Any]:
    """What was given: TOML has no null."""
    return {key: value for key, value in table.items() if value is not None}

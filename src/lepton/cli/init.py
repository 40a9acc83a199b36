"""`lepton init`: a recipe that fits the data at hand."""

import argparse
from pathlib import Path

from lepton.cli._output import note
from lepton.core.errors import UserError

HELP = "write a recipe that fits the data at hand"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("task", metavar="TASK", help="the task; lepton list tasks shows them")
    parser.add_argument("--data", required=True, metavar="PATH", help="the data set, or a built-in name")
    parser.add_argument("--pattern", help='fields of file names, such as "{label}_{speaker}_{index}.wav"')
    parser.add_argument("--text", help="the column of the text")
    parser.add_argument("--label", help="the column or field of the label")
    parser.add_argument(
        "-o", "--out", default="recipe.toml", metavar="FILE", help="where to write it (default recipe.toml)"
    )


def main(args: argparse.Namespace) -> int:
    """Look at the data and write the recipe; an existing file is left alone."""
    from lepton.core import files, plugins
    from lepton.formats import _read

    out = Path(args.out)
    if out.exists():
        raise UserError(f"{out} exists already", rule="A recipe is never overwritten", remedy="Name another with -o")
    task = plugins.load("tasks", args.task)
    options = {name: getattr(args, name) for name in ("pattern", "text", "label")}
    reading = _read.read(args.data, base=Path.cwd(), modality=task.MODALITY, **options)
    splits = {record.split for record in reading.records}
    files.write_text(out, _recipe(args, splits))
    note(f"{out}: {len(reading.records):,} records. Next: lepton check {out}, then lepton run {out}")
    return 0


def _recipe(args: argparse.Namespace, splits: set[str | None]) -> str:
    """The recipe's text, with a word on each choice."""
    name = Path(args.data).stem or "app"
    lines = [
        "[app]",
        f"name = {_quoted(name)}",
        f"task = {_quoted(args.task)}",
        "",
        "[data]",
        f"source = {_quoted(_source(args))}",
        *(
            f"{option} = {_quoted(value)}"
            for option in ("pattern", "text", "label")
            if (value := getattr(args, option))
        ),
        _split_line(splits),
        "",
        "[model]",
        'name = "auto"              # tries the families that serve the task; lepton list models names them',
        "",
        "[train]",
        "budget = 10                # minutes for trying families",
        "",
        "# [contract]               # left out: no slower, no larger, at most one point worse than the fp32 ONNX model",
        "# metric = { max_drop = 0.01 }",
        "# latency = { p95_ms = 5.0, batch = 1, threads = 1 }",
        "",
    ]
    return "\n".join(lines)


def _source(args: argparse.Namespace) -> str:
    """The source as the recipe's folder sees it."""
    path = Path(args.data)
    return str(path.resolve()) if path.exists() else str(args.data)


def _split_line(splits: set[str | None]) -> str:
    missing = {"test": 0.2, "validation": 0.1}
    wanted = {name: share for name, share in missing.items() if name not in splits}
    if not wanted:
        return "# the given splits are kept"
    shares = ", ".join(f"{name} = {share}" for name, share in wanted.items())
    return f'split = {{ {shares} }}   # carved from train; add group = "..." to keep a field\'s values together'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""ONNX files, and the folders of apps and runs that hold one: what stands in and beside them.

Shapes: B batch, C channels, H height, W width, T tokens or time steps, M mel bands.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import UserError
from lepton.models import _brought, _graph, _processor
from lepton.models._brought import Brought
from lepton.models._graph import Scale

_MANIFEST, _MODEL, _CONFIG, _TOKENIZER = "manifest.json", "model.onnx", "config.json", "tokenizer.json"
_BESIDE = (_CONFIG, _TOKENIZER, *_processor.FILES)
_RATE, _HOP = 16_000, 0.01  # of sound whose spectra a graph takes, where nothing says more


def located(path: Path) -> Path:
    """The ONNX file at `path`: itself, the first graph of an app, or model.onnx in a folder."""
    app = app_of(path)
    found = path / _MODEL if path.is_dir() else path
    found = app / _told(app)["file"] if app else found
    if not found.is_file():
        rule = f"It must be an ONNX file, a folder with {_MODEL}, or the folder of an app or a run"
        raise UserError("The graph that was to be brought is not there", rule=rule, received=found)
    return found


def describe(path: Path) -> Brought:
    """What the graph at `path`, or the app that it came in, tells of itself. Raises UserError where there is none."""
    graph, app = located(path), app_of(path)
    if app is None:
        near = (_near(graph.parent, name) for name in _BESIDE)
        sources = sorted([*graph.parent.glob(f"{graph.name}*"), *filter(None, near)])
        return Brought(graph.stem if path.is_file() else path.name, "", sources)
    told = _told(app)
    return Brought(told["name"], told["task"], [app / _MANIFEST, graph], app)


def holds(path: Path) -> bool:
    """Whether `path` is an ONNX file, or the folder of an app, a run, or a model.onnx."""
    is_folder = any((path / name).is_file() for name in (_MANIFEST, f"app/{_MANIFEST}", _MODEL))
    return is_folder or path.suffix == ".onnx"


def transform(path: Path) -> tuple[str, dict[str, Any]]:
    """The transform whose arrays the graph takes, by the axes of its first input, with the sizes that it fixes.

    Texts need the tokenizer that the graph was made with: a tokenizer.json beside it. Raises UserError where no
    transform gives what the graph takes.
    """
    path = located(path)
    first = _graph.inputs(_graph.read(path))[0]
    axes = first.axes or ()
    if len(axes) == 4:
        channels, *sides = (axes[3], *axes[1:3]) if first.last else axes[1:]
        return "image", {"size": _side(sides, path), "channels": channels if channels in (1, 3) else None}
    if len(axes) == 3 and first.floating:
        length = {"seconds": round(axes[1] * _HOP + 0.015, 3)} if axes[1] else {}
        return "logmel", {"rate": _RATE, **({"mels": axes[2]} if axes[2] else {}), **length}
    if len(axes) == 2 and not first.floating:
        return "tokens", {"tokenizer": str(_tokenizer(path))}
    raise UserError(
        f"{path} takes what no transform gives",
        rule="Images are (B, C, H, W) or (B, H, W, C), spectra (B, T, M) floats, texts (B, T) whole numbers",
        received=first,
        remedy="Export it with such an input, or bring it as an app",
    )


def app_of(path: Path) -> Path | None:
    """The folder of the app at `path`, an app's folder or a run's; None where there is none."""
    return next((folder for folder in (path, path / "app") if (folder / _MANIFEST).is_file()), None)


def _told(app: Path) -> dict[str, Any]:
    """Name, task, classes and graph file in the manifest of an app; the stage that takes the app checks the rest."""
    kept = files.read_json(app / _MANIFEST)
    try:
        first = next(iter(kept["graphs"].values()))
        return {"name": kept["name"], "task": kept["task"], "classes": [*kept["classes"]], "file": first["file"]}
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        rule = "It must have name, task, classes and graphs"
        raise UserError(f"{app / _MANIFEST} is no manifest", rule=rule, received=repr(error)) from error


def names(path: Path, task: str) -> list[str] | None:
    """The names of the outputs in their order, where an app or a config.json has them."""
    app = app_of(path)
    if app is not None:
        return _brought.outputs(task, _told(app)["classes"])
    near = _near(path if path.is_dir() else path.parent, _CONFIG)
    return _brought.labels(near.parent) if near else None


def _near(folder: Path, name: str) -> Path | None:
    """The file `name` beside the graph, or in the folder around that."""
    return next((place / name for place in (folder, folder.parent) if (place / name).is_file()), None)


def scale(graph: Path, said: Scale, axes: Sequence[int]) -> Scale:
    """What was said of the scaling of pixels, else what an image processor's file beside the graph says.

    `axes` are those of an image; there are none where inputs are no images.
    """
    for name, item in (("mean", said.mean), ("std", said.std)):
        if item is not None and axes and len(item) not in (1, axes[0]):
            rule = f"It must have a number for each channel, {axes[0]}, or one for all"
            raise UserError(f"[model.{name}] is wrong", rule=rule, received=item)
    near = [path for path in (_near(graph.parent, name) for name in _processor.FILES) if path]
    if said.said or not near or not axes:
        return said
    mean, std = _processor.pixels(near[0].parent)
    return Scale(1.0, mean.ravel().tolist(), std.ravel().tolist())


def _tokenizer(graph: Path) -> Path:
    near = _near(graph.parent, _TOKENIZER)
    if near is None:
        raise UserError(
            f"{graph} reads tokens, and there is no tokenizer beside it",
            rule="Texts must be cut as they were when it was made",
            remedy=f'Put its {_TOKENIZER} beside it, or say data.transform = {{ name = "tokens", tokenizer = "..." }}',
        )
    return near


def _side(sides: Sequence[int], path: Path) -> int | None:
    """The one size of both sides; None where they vary."""
    fixed = {size for size in sides if size}
    if len(fixed) > 1:
        received = " x ".join(map(str, sides))
        raise UserError(f"{path} takes images that are not square", rule="Both sides must agree", received=received)
    return fixed.pop() if fixed else None

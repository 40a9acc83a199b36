"""What training starts from: an earlier run, or a file of weights, and how they fit the network at hand."""

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lepton.core import files, ledger
from lepton.core.errors import UserError
from lepton.models import _heads
from lepton.stages import _encoded, _model
from lepton.stages._fit import Start, Transform

Weights = Mapping[str, Tensor]

SCALING = ("mean", "std")
"""What a network scales its inputs by: measured on data, not trained."""

_NETWORK = "network.safetensors"
_PICKLED = (".pt", ".pth", ".bin", ".ckpt")
_RULE = "It must be a run, a .safetensors file, or a state_dict (.pt, .pth, .bin, .ckpt)"


@dataclass(frozen=True)
class Origin:
    """Weights by name, and of an earlier run also what describes its model, and its transform."""

    path: Path
    weights: Weights
    described: Mapping[str, Any] | None = None
    transform: Transform | None = None


def model_of(path: Path) -> dict[str, Any] | None:
    """The model of the run at `path` with its settings; None where only weights lie there. Raises UserError."""
    folder = trained(path)
    return dict(files.read_json(folder / "model.json")["model"]) if folder else None


def read(path: Path) -> Origin:
    """What lies at `path`. Raises UserError where it is nothing to start from, or code would run in reading it."""
    folder = trained(path)
    if folder is None:
        return Origin(path, _plain(path))
    return Origin(path, _plain(folder / _NETWORK), files.read_json(folder / "model.json"), _encoded.load(folder))


def sources(path: Path) -> dict[str, str]:
    """Hashes of the files that decide what is read."""
    folder = trained(path)
    found = [folder / _NETWORK, folder / "model.json", folder / "transform.json"] if folder else [path]
    return {each.name: files.sha256(each) for each in found}


def trained(path: Path) -> Path | None:
    """The folder with a run's trained network, `path` being the run or that folder; None for a file."""
    if path.is_file():
        return None
    folder = path
    if (path / "ledger.jsonl").is_file():
        told = ledger.facts(path).get("train", {}).get("artifact")
        folder = path / "artifacts" / str(told)
    if not (folder / _NETWORK).is_file():
        hub = (path / "config.json").is_file()
        remedy = f'Say model = {{ name = "hub", hub = "{path}" }}' if hub else "Name a run whose training is done"
        what = f"{path} has no weights" if path.exists() else f"{path} is not there"
        raise UserError(what, rule=_RULE, received=_seen(path), remedy=remedy)
    return folder


def _seen(path: Path) -> str | None:
    return ", ".join(sorted(each.name for each in path.iterdir())[:8]) if path.is_dir() else None


def _plain(path: Path) -> Weights:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path} cannot be read", rule=_RULE, received=error) from error
    if path.suffix not in _PICKLED:
        remedy = "A graph is compressed as it is: lepton compress" if path.suffix == ".onnx" else "Save its state_dict"
        raise UserError(f"{path} holds no weights that can be read", rule=_RULE, received=path.name, remedy=remedy)
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise _pickle(path) from error
    inner = kept.get("state_dict", kept) if isinstance(kept, Mapping) else kept
    if not isinstance(inner, Mapping) or not all(isinstance(value, Tensor) for value in inner.values()):
        raise _pickle(path)
    return inner


def _pickle(path: Path) -> UserError:
    return UserError(
        f"{path} is no state_dict",
        rule="A pickle that holds more than tensors would run its code in being read, so it is not read",
        received=path.name,
        remedy=f'Save the weights alone: torch.save(model.state_dict(), "{path.name}"), or better as safetensors',
    )


@dataclass(frozen=True)
class Mapped:
    """How weights were mapped: how many tensors were taken, which begin anew and which were left over, and why."""

    taken: int
    fresh: Mapping[str, str]
    unused: Mapping[str, str]

    @property
    def told(self) -> str:
        """The mapping in one line."""
        parts = [
            f"{self.taken} tensors were taken",
            _counted(self.fresh, "begin anew"),
            _counted(self.unused, "were left"),
        ]
        return ", ".join(filter(None, parts))


def _counted(names: Mapping[str, str], said: str) -> str:
    shown = "; ".join(f"{name}: {why}" for name, why in list(names.items())[:2])
    return f"{len(names)} {said} ({shown})" if names else ""


def rebuilt(start: Start, origin: Origin) -> Start:
    """The start with what an earlier adaptation left in the run's network for good, before it takes the weights."""
    choices = (origin.described or {}).get("adapted", [])
    _model.relay(start.network, choices)
    return replace(start, described={**start.described, "adapted": choices}) if choices else start


def take(start: Start, origin: Origin) -> Mapped:
    """Give the network of `start` the weights of `origin`, in place, all but a head for other classes.

    Names may lack "body.", or have a first part of their own ("module."). Plain weights may lack the scaling of inputs,
    which is measured then. Raises UserError where another tensor outside the head is missing or has another shape.
    """
    _same_tokens(start, origin)
    wanted, head = start.network.state_dict(), set(_heads.head(start.network))
    names = _best_names(wanted, origin.weights)
    fresh = _without_match(wanted, {mine: origin.weights[theirs] for mine, theirs in names.items()})
    if origin.described and origin.described["classes"] != start.described["classes"]:
        fresh |= dict.fromkeys(sorted(head), "its classes are others")
    needed = [name for name in fresh if name not in head and (name in names or name not in SCALING)]
    _complete(origin, {name: fresh[name] for name in needed})
    chosen = {mine: theirs for mine, theirs in names.items() if mine not in fresh}
    start.network.load_state_dict({**wanted, **{mine: origin.weights[theirs] for mine, theirs in chosen.items()}})
    return Mapped(
        len(chosen), fresh, _unused(origin.weights, chosen, {names.get(mine): why for mine, why in fresh.items()})
    )


def _unused(weights: Weights, chosen: Mapping[str, str], refused: Mapping[str | None, str]) -> dict[str, str]:
    """The weights that were not taken, and why."""
    left = sorted(set(weights) - set(chosen.values()))
    return {name: refused.get(name, "the network has nothing of that name") for name in left}


def _without_match(wanted: Weights, found: Weights) -> dict[str, str]:
    """The tensors of a network that weights do not fill, and why."""
    missing = {name: "there is nothing of that name" for name in wanted if name not in found}
    pairs = ((name, found[name].shape, value.shape) for name, value in wanted.items() if name in found)
    return missing | {
        name: f"its shape is {_axes(has)}, {_axes(needs)} is needed" for name, has, needs in pairs if has != needs
    }


def _axes(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _complete(origin: Origin, fresh: Mapping[str, str]) -> None:
    if fresh:
        told = "; ".join(f"{name}: {why}" for name, why in list(fresh.items())[:3])
        more = f"; and {len(fresh) - 3} more" if len(fresh) > 3 else ""
        raise UserError(
            f"The weights of {origin.path} are not those of the model",
            rule="Every tensor outside the head must be there, in its shape",
            received=told + more,
            remedy="Give [model] the settings that the weights were trained with, and data of the same kind",
        )


def _same_tokens(start: Start, origin: Origin) -> None:
    """Raise UserError where the data's tokenizer is not the one that the run's weights belong to."""
    if origin.transform is None:
        return
    theirs, ours = origin.transform[1].files, start.transform[1].files
    if theirs != ours and "tokenizer.json" in {*theirs, *ours}:
        sizes = [found[1].settings.get("vocabulary") for found in (origin.transform, start.transform)]
        raise UserError(
            "The tokenizer does not fit the weights",
            rule=f"{origin.path} was trained with one of {sizes[0]} tokens",
            received=f"another one, of {sizes[1]} tokens",
            remedy="Leave data.transform out, and the run's own is taken",
        )


def _best_names(wanted: Weights, weights: Weights) -> dict[str, str]:
    """Our names of tensors to theirs, by the way of renaming that matches the most."""
    ways: Iterable[Callable[[str], str]] = (
        str,
        lambda name: f"body.{name}",
        lambda name: name.partition(".")[2],
        lambda name: f"body.{name.partition('.')[2]}",
    )
    found = [{way(name): name for name in weights if way(name) in wanted} for way in ways]
    return max(found, key=len)

"""Plans: chains of compression steps, whether they can work, and carrying them out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from lepton.compress._candidate import FORMS, Candidate, Context
from lepton.core import files, plugins, settings
from lepton.core.errors import UserError
from lepton.core.settings import Plugin
from lepton.core.types import Arrays
from lepton.export.onnx import export, strip
from lepton.stages import _encoded, _fit, _model
from lepton.stages._fit import Start, Transform
from lepton.stages._workshop import Shop

REFERENCE = "onnx"
"""The plan that changes nothing: the uncompressed ONNX model, always a candidate."""

Step = Mapping[str, Any]
"""One method, `{name, settings}`, every setting resolved."""

CHOICE = Plugin("compress", "compress")


@dataclass(frozen=True)
class Plan:
    """A chain of steps: those that work on the network come first, then those that work on its graph."""

    steps: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """The steps by name, each with the settings that are not its defaults."""
        return "+".join(map(_label, self.steps)) or REFERENCE

    @property
    def slug(self) -> str:
        """The name as a folder's name; what tells of settings ends in a hash, since signs and letters are lost."""
        plain = re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-")
        return f"{plain[:50]}-{files.sha256_text(self.name)[:8]}" if "(" in self.name or len(plain) > 60 else plain

    @property
    def network(self) -> tuple[Step, ...]:
        """The steps that work on the network."""
        return tuple(step for step in self.steps if "network" in _method(step).TAKES)

    @property
    def graph(self) -> tuple[Step, ...]:
        """The steps that work on the graph."""
        return self.steps[len(self.network) :]

    def then(self, *steps: Step) -> "Plan":
        """Add steps behind."""
        return Plan((*self.steps, *steps))


def step(name: str, **given: Any) -> Step:
    """One step with every setting resolved; raises the first fault of what is `given`."""
    found, faults = settings.choose({"name": name, **given}, CHOICE, "compress.passes")
    if faults:
        raise faults[0]
    table: Step = found
    return table


def faults(steps: Sequence[Step], *, begins: str = "network") -> list[UserError]:
    """Why the chain cannot work, if it cannot: each method takes what the one before leaves."""
    form, before = begins, ""
    for item in steps:
        method = _method(item)
        exported = form == "network" and "graph" in method.TAKES
        if form not in method.TAKES and not exported:
            what = f"[compress.passes] {item['name']} cannot stand {'after ' + before if before else 'first'}"
            rule = f"It takes a {' or '.join(map(_said_form, method.TAKES))}; what is there is a {_said_form(form)}"
            chain = ", ".join(step["name"] for step in steps)
            return [UserError(what, rule=rule, received=chain, remedy=f"The order is: {', '.join(_in_order())}")]
        form, before = method.GIVES, item["name"]
    return []


@dataclass(frozen=True)
class Maker:
    """Carries plans out, from the trained (or brought) candidate; what was trained outlives a killed run."""

    start: Candidate
    shop: Shop
    folder: Path
    _bare: dict[str, Candidate] = field(default_factory=dict, repr=False)

    def network(self, steps: Sequence[Step], *, effort: float) -> Candidate:
        """The candidate after the steps that work on the network, with `effort` (0: none) put into training."""
        if not steps:
            return self.start
        key = files.sha256_text(files.canonical([list(map(dict, steps)), effort]))[:16]
        kept = self.folder / f"network-{key}"
        if effort and kept.exists():
            return load(kept)
        if key in self._bare:
            return self._bare[key]
        before = self.network(steps[:-1], effort=effort)  # plans share their beginnings, which are trained once
        scratch = _made(self.folder / f"training-{key}")
        context = Context(scratch, self.shop.data.seed, self.shop.at(effort, scratch))
        candidate = _carry_out(steps[-1], before, context)
        if effort == 1:
            candidate = self.graph(candidate, (), place=key)
        if not effort:
            self._bare[key] = candidate
            return candidate
        with files.folder_aside(kept) as aside:
            save(aside, candidate)
        return candidate

    def weights(self, steps: Sequence[Step]) -> int:
        """How many weights the network has after the steps; raises UserError where they cannot work."""
        network = self.network(steps, effort=0).network
        return sum(weight.numel() for weight in network.parameters()) if network is not None else 0

    def score(self, candidate: Candidate) -> float:
        """The validation metric of the candidate's network, higher is better."""
        start = Start(candidate.network, candidate.described, candidate.transform)  # type: ignore[arg-type]
        return _fit.score(self.shop.data, start)

    def graph(self, candidate: Candidate, steps: Sequence[Step], *, place: str) -> Candidate:
        """The candidate with its graph, exported where there is none yet, after the steps that work on it.

        Files are written in the folder `place` of the scratch folder.
        """
        folder = _made(self.folder / f"graph-{place}")
        found = candidate if candidate.graph else candidate.with_graph(self._exported(candidate, folder))
        for index, item in enumerate(steps):
            found = _carry_out(item, found, Context(_made(folder / str(index)), self.shop.data.seed, self.shop))
        return found

    def _exported(self, candidate: Candidate, folder: Path) -> Path:
        """The network as an ONNX graph in floating point; one that was brought as a graph is that graph."""
        out = folder / f"{REFERENCE}.onnx"
        brought = getattr(candidate.network.body, "graph", None)  # type: ignore[union-attr]
        if brought is not None:
            out.write_bytes(strip(onnx.load_from_string(brought())).SerializeToString(deterministic=True))
            return out
        given, lengths = example(candidate.described, candidate.transform, self.shop.samples(candidate, 2))
        export(candidate.network, given, out, lengths=lengths)  # type: ignore[arg-type]
        return out


def example(
    described: Mapping[str, Any], transform: Transform, samples: Sequence[Arrays]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """A batch of two, made of one or two samples, to export a network with; and which inputs vary in length."""
    batch = plugins.load("transforms", transform[0]).collate([*samples] * 2)
    names = described["inputs"]
    lengths = [name for name, size in described["shape"]["inputs"].items() if size and size[0] == 0]
    arrays = _odd_lengths({name: array[:2] for name, array in batch.items()}, names, lengths)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, lengths


def save(folder: Path, candidate: Candidate) -> None:
    """Keep a candidate in `folder`: its description and transform, and its network and graph where it has them."""
    folder.mkdir(parents=True, exist_ok=True)
    if candidate.network is not None:
        _model.save(folder, candidate.network, candidate.described)  # type: ignore[arg-type]
    else:
        files.write_json(folder / "model.json", candidate.described)
    _encoded.save(folder, *candidate.transform)
    files.write_json(folder / "candidate.json", {"batchable": candidate.batchable})
    if candidate.graph is not None:
        files.write_bytes(folder / "model.onnx", candidate.graph.read_bytes())


def load(folder: Path) -> Candidate:
    """The candidate that `save` kept."""
    network, described = None, files.read_json(folder / "model.json")
    if (folder / "network.safetensors").exists():
        network, described = _model.load(folder)
    graph = folder / "model.onnx"
    batchable = files.read_json(folder / "candidate.json")["batchable"]
    return Candidate(described, _encoded.load(folder), network, graph if graph.exists() else None, batchable)


def _carry_out(item: Step, candidate: Candidate, context: Context) -> Candidate:
    given = {key: value for key, value in item.items() if key != "name"}
    found: Candidate = _method(item).compress(candidate, context, **given)
    return found


def _method(item: Step) -> Any:
    return plugins.load("compress", item["name"])


def _in_order() -> list[str]:
    """Every method, by the form that it takes."""
    names = plugins.names("compress")
    return sorted(names, key=lambda name: FORMS.index(plugins.load("compress", name).TAKES[0]))


def _said_form(form: str) -> str:
    return form if form in ("network", "graph") else f"{form} graph"


def _label(item: Step) -> str:
    usual = settings.defaults(_method(item).compress)
    told = [_said(key, value) for key, value in item.items() if key != "name" and value != usual.get(key)]
    return f"{item['name']}({', '.join(told)})" if told else str(item["name"])


def _said(key: str, value: Any) -> str:
    if key == "model" and isinstance(value, Mapping):
        own = settings.defaults(plugins.load("models", value["name"]).build)
        more = [f"{name} {item}" for name, item in value.items() if name != "name" and item != own.get(name)]
        return " ".join([str(value["name"]), *more])
    return f"{key} {value}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _odd_lengths(batch: Arrays, names: Sequence[str], lengths: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays named, padded or cut to lengths that are no width of a network.

    The exporter takes an axis for a fixed one where its size happens to be that of something fixed.
    """
    odd = dict(zip(sorted({batch[name].shape[1] for name in lengths}), (37, 53, 71), strict=False))
    return {name: _sized(batch[name], odd[batch[name].shape[1]]) if name in lengths else batch[name] for name in names}


def _sized(array: np.ndarray, length: int) -> np.ndarray:
    """`array` (B, T) with T = `length`, zeros behind."""
    out = np.zeros((len(array), length), array.dtype)
    kept = min(length, array.shape[1])
    out[:, :kept] = array[:, :kept]
    return out


def brought(start: Candidate) -> str:
    """The form that plans begin with: a network, or a graph where that is all that was brought."""
    return "network" if start.network is not None else "graph"

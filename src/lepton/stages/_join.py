"""Joining runs that adapted one network: an app with that network once, and what each run trained beside it.

The graph has the adapters' places open: the method's own parts, the head and the scaling of inputs are fed to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from onnxruntime import AdapterFormat, OrtValue
from safetensors.torch import load_file
from torch import Tensor

from lepton.bundle import golden
from lepton.bundle.manifest import Adapter, Bundle
from lepton.compress._candidate import Candidate
from lepton.core import files, ledger, machine, settings
from lepton.core.errors import Faults, UserError
from lepton.core.progress import Progress, Silent
from lepton.core.types import Json, Record
from lepton.export.onnx import export
from lepton.runtime import app as apps
from lepton.runtime import batches
from lepton.runtime.app import App
from lepton.stages import _adapt, _assemble, _encoded, _model, _origin, _plans, package
from lepton.stages._fit import Start, Transform
from lepton.stages._records import read_records
from lepton.tasks._abstain import DISTANCE

_LOOKED_AT = 64
"""Validation records whose logits are compared with those of the run's own network."""

_TRIED = 3
"""Records that are run in company to see whether that changes their answers."""

_ONLY_TRAINING = ("lr",)
"""Settings of methods that leave nothing in the network."""


@dataclass(frozen=True)
class Member:
    """A run that adapted a network, by the name that its adapter has in the app."""

    name: str
    run: Path

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the run's ledger tells, by stage."""
        return ledger.facts(self.run)

    @property
    def recipe(self) -> Json:
        """The run's resolved recipe."""
        told: Json = self.facts["run"]["recipe"]
        return told

    def artifact(self, stage: str) -> Path:
        """The folder of what a stage of the run made. Raises UserError where the run did not come that far."""
        told = self.facts.get(stage)
        if told is None:
            remedy = f"Run its recipe again: lepton run RECIPE -o {self.run}"
            raise UserError(f"{self.run} is not done", rule=f"Its {stage} stage must be", remedy=remedy)
        return self.run / "artifacts" / str(told["artifact"])

    @cached_property
    def about(self) -> dict[str, Any]:
        """What `adapter.json` says. Raises UserError where the run has no adapter."""
        found: dict[str, Any] = files.read_json(_adapt.located(self.run) / "adapter.json")
        return found

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """What was trained, by name, as far as it is numbers that a graph computes with.

        Raises UserError where the file is not the one that was written.
        """
        path = _adapt.located(self.run) / "adapter.safetensors"
        if files.sha256(path) != self.about["sha256"]:
            remedy = "Copy the run again, or run its recipe again"
            raise UserError(f"{path} was changed", rule="It must be as it was written", remedy=remedy)
        return {name: value for name, value in load_file(path).items() if value.is_floating_point()}

    @cached_property
    def described(self) -> dict[str, Any]:
        """The description of the run's network."""
        found: dict[str, Any] = files.read_json(self.artifact("train") / "model.json")
        return found

    @cached_property
    def transform(self) -> Transform:
        """How the run encodes raw inputs."""
        return _encoded.load(self.artifact("train"))

    @cached_property
    def decode(self) -> dict[str, Any]:
        """How answers are decoded: as in the run's app where that has the network as it was trained, else plainly.

        Thresholds and temperatures of a compressed network are its own, and so are distances.
        """
        found: dict[str, Any] = self.described["decode"]
        if not self.ships_it_plain:
            return found
        told = self._app_decode
        # Distances are an output of that run's own graph, which the joined one does not have.
        by_distance = (told.get("abstain") or {}).get("score") == DISTANCE
        return {key: value for key, value in told.items() if key != "abstain" or not by_distance}

    @property
    def left(self) -> list[str]:
        """The settings of the decode of the run's app that the adapter goes without."""
        return sorted(self._app_decode.keys() - self.decode.keys()) if "evaluate" in self.facts else []

    @property
    def _app_decode(self) -> dict[str, Any]:
        found: dict[str, Any] = files.read_json(self.artifact("evaluate") / "decode.json")
        return found

    @property
    def ships_it_plain(self) -> bool:
        """Whether the run was evaluated with the network as it was trained, and not with a compressed one."""
        return "evaluate" in self.facts and not files.read_json(self.artifact("compress") / "winner.json")["steps"]

    @cached_property
    def validation(self) -> list[Record]:
        """The run's validation records."""
        return read_records(self.artifact("prepare") / "records.jsonl", "validation")

    def adapter(self, names: Sequence[str]) -> bytes:
        """The tensors named, as ONNX Runtime reads them."""
        made = AdapterFormat()
        made.set_parameters({name: OrtValue.ortvalue_from_numpy(self.tensors[name].numpy()) for name in names})
        with TemporaryDirectory() as folder:
            path = Path(folder) / "adapter"
            made.export_adapter(str(path))
            return path.read_bytes()


@dataclass(frozen=True)
class Compared:
    """How far an adapter's logits are from those of its run's own network, on some validation records."""

    adapter: str
    classes: int
    records: int
    largest_change: float
    largest_logit: float


def join(runs: Mapping[str, Path], out: Path, *, name: str, progress: Progress | None = None) -> list[Compared]:
    """Write the app `name` into the folder `out`, with an adapter from each of the `runs` by its name.

    The first run's adapter answers where none is asked for. Raises Faults where the runs do not fit together, and
    UserError where the network cannot be had apart from its adapters or an adapter answers otherwise than its run.
    """
    told = progress or Silent()
    members = [Member(key, run) for key, run in runs.items()]
    _fit_together(members)
    for member in members:
        if member.left:
            told.say(f"{member.name} goes without the {', '.join(member.left)} of its run's own app")
    with TemporaryDirectory() as place:
        told.say(f"exporting the network that {len(members)} adapters share")
        work = _Work(members, name, Path(place))
        work.export()
        app = apps.open_bundle(work.write(Path(place) / "app", {}, batchable=True))
        found = []
        with told.bar("compare", len(members)) as bar:
            for member in members:
                found.append(_compared(app.with_adapter(member.name), member))
                bar.step()
        kept = {**work.golden(app), "CARD.md": _card(work, found).encode()}
        work.write(out, kept, batchable=_is_exact(app, members))
    return found


def _fit_together(members: Sequence[Member]) -> None:
    """Raise Faults for the runs that do not fit the first."""
    first, *others = members
    faults = [fault for member in others for fault in _misfits(first, member)]
    if faults:
        raise Faults("What is to be joined", faults)


def _misfits(first: Member, other: Member) -> Iterator[UserError]:
    pairs = {
        "another network": (first.about["base"][:12], other.about["base"][:12]),
        "another method": (_method(first), _method(other)),
        "another task": (first.recipe["app"]["task"], other.recipe["app"]["task"]),
        "another model": (first.described["model"], other.described["model"]),
        "another transform": (_encoding(first), _encoding(other)),
        "other tensors": (_layout(first), _layout(other)),
    }
    for what, (wanted, received) in pairs.items():
        if wanted != received:
            rule = f"{first.name} has {_said(wanted, received)}"
            remedy = "Train it as the others, or join it with its own kind"
            yield UserError(f"{other.name} has {what}", rule=rule, received=_said(received, wanted), remedy=remedy)
            return


def _method(member: Member) -> dict[str, Any]:
    return {key: value for key, value in member.about["method"].items() if key not in _ONLY_TRAINING}


def _encoding(member: Member) -> dict[str, Any]:
    """What decides a transform; of its files the hashes."""
    name, fitted = member.transform
    hashes = {file: files.sha256_text(data.hex())[:12] for file, data in fitted.files.items()}
    return {"name": name, **settings.plain(fitted.settings), **hashes}


def _layout(member: Member) -> dict[str, int]:
    """The names of an adapter's tensors and how many axes each has."""
    return {name: value.ndim for name, value in member.tensors.items()}


def _said(value: Any, other: Any) -> str:
    """A value in words; of a table what `other` has not."""
    if not isinstance(value, Mapping):
        return str(value)
    own = [f"{key} {item}" for key, item in value.items() if key not in other or other[key] != item]
    return ", ".join(own[:3]) or "nothing beside"


@dataclass(frozen=True)
class _Work:
    """An app of several adapters in the making, in a scratch folder."""

    members: Sequence[Member]
    name: str
    place: Path

    @property
    def first(self) -> Member:
        return self.members[0]

    @property
    def graph(self) -> Path:
        return self.place / "model.onnx"

    def export(self) -> None:
        """Write the graph whose adapter is fed. Raises UserError where there is none for such a network."""
        member = self.first
        start = _base(member)
        _model.adapted(start.network, member.about["method"])
        start.network.load_state_dict({**start.network.state_dict(), **member.tensors})
        encode = _encoded.encoder(*member.transform)
        samples = [encode(record.read()) for record in member.validation[:2]]
        example, lengths = _plans.example(member.described, member.transform, samples)
        try:
            export(start.network, example, self.graph, lengths=lengths, apart=self._axes())
        except torch.onnx.OnnxExporterError as error:
            raise UserError(
                f"The network of {member.name} cannot be had apart from its adapters",
                rule="Its graph must be exported with the adapters' tensors as inputs, whatever the number of classes",
                received=f"{member.described['model']['name']} with {self._counts()} classes",
                remedy="Join runs with as many classes each, or serve each run's own app",
            ) from error

    def _axes(self) -> dict[str, list[int]]:
        """The tensors that are fed, and along which axes they differ in length: the head's, where classes differ."""
        return {
            name: [axis for axis, sizes in enumerate(zip(*self._sizes(name), strict=True)) if len(set(sizes)) > 1]
            for name in self.first.tensors
        }

    def _counts(self) -> str:
        return ", ".join(str(len(member.described["classes"])) for member in self.members)

    def _sizes(self, name: str) -> list[tuple[int, ...]]:
        return [tuple(member.tensors[name].shape) for member in self.members]

    def write(self, folder: Path, kept: Mapping[str, bytes], *, batchable: bool) -> Bundle:
        """Write the app around the exported graph to `folder`."""
        member = self.first
        read = _fed(self.graph)
        adapters = {
            each.name: Adapter(file=_file(each.name), decode=each.decode, classes=tuple(each.described["classes"]))
            for each in self.members
        }
        more = {"adapters": adapters, "machine": machine.fingerprint(), "provenance": self.provenance()}
        parts = _assemble.Parts(self.name, member.recipe["app"]["task"], member.decode, more)
        made = Candidate(member.described, member.transform, graph=self.graph, batchable=batchable)
        beside = {_file(each.name): each.adapter(read) for each in self.members}
        return _assemble.write(folder, parts, made, files={**kept, **beside})

    def provenance(self) -> dict[str, Any]:
        """Where the app comes from: the network, and each run's artifact."""
        return {
            "model": package.named(self.first.described["model"]),
            "base": self.first.about["base"],
            "method": self.first.about["method"],
            "license": self.first.recipe["app"]["license"],
            "adapters": {each.name: each.facts["train"]["artifact"] for each in self.members},
        }

    def golden(self, app: App) -> dict[str, bytes]:
        """Golden inputs of every adapter with the answers expected, as each run's recipe wants them."""
        answered = {}
        for member in self.members:
            chosen = settings.build(package.Settings, member.recipe["package"])
            raws = package.golden_inputs(
                chosen, member.validation, modality=app.modality, seed=int(member.recipe["app"]["seed"])
            )
            answered[member.name] = list(zip(raws, app.with_adapter(member.name).predict(raws), strict=True))
        return golden.files_by_adapter(answered, tolerance=package.TOLERANCE) if any(answered.values()) else {}


def _base(member: Member) -> Start:
    """The network that the run adapted, made as the run made it. Raises UserError where that gives another one."""
    described = {**member.described, "adapted": []}
    start = Start(_model.fresh(described), described, member.transform)
    if hasattr(start.family, "align"):
        start.family.align(start.network.body, described["classes"])
    train = member.recipe["train"]
    if train["start"]:
        origin = _origin.read(Path(train["start"]))
        start = _origin.rebuilt(start, origin)
        _origin.take(start, origin)
    if train["adapter"]:
        start = _adapt.lay(start, Path(train["adapter"]))
    found = _adapt.network_hash(start.network)
    if found != member.about["base"]:
        raise UserError(
            f"The network that {member.name} adapted is not there any more",
            rule=f"Its sha256 is {member.about['base'][:12]}",
            received=found[:12],
            remedy="Put back what [model] or train.start of its recipe names",
        )
    return start


def _fed(graph: Path) -> list[str]:
    """The names of the tensors that the graph reads from an adapter."""
    import onnx

    found = onnx.load(graph, load_external_data=False).graph
    inputs = {value.name for value in found.input}
    return [value.name for value in found.initializer if value.name in inputs]


def _file(name: str) -> str:
    return f"adapters/{name}.onnx_adapter"


def _compared(app: App, member: Member) -> Compared:
    """Compare an adapter's logits with those of its run's own network. Raises UserError where they differ."""
    batch = app.collate([app.encode(record.read()) for record in member.validation[:_LOOKED_AT]])
    network, described = _model.load(member.artifact("train"))
    want = _model.TorchRun(network, described["inputs"])(batch)["logits"]
    largest, size = float(abs(app.run(batch)["logits"] - want).max()), float(abs(want).max())
    if largest > _adapt.TOLERANCE * max(1.0, size):
        raise UserError(
            f"{member.name} answers otherwise than its run's network",
            rule=f"Logits of up to {size:g} may move by {_adapt.TOLERANCE * max(1.0, size):g}",
            received=f"{largest:g}",
            remedy="Serve that run's own app",
        )
    return Compared(member.name, len(described["classes"]), len(want), largest, size)


def _is_exact(app: App, members: Sequence[Member]) -> bool:
    """Whether answers are the same in company; kernels change with sizes, so one adapter of each size is tried."""
    sizes = {len(member.described["classes"]): member for member in members}
    return all(
        batches.exact(app.with_adapter(member.name), [record.read() for record in member.validation[:_TRIED]])
        for member in sizes.values()
    )


def _card(work: _Work, compared: Sequence[Compared]) -> str:
    """The card in Markdown."""
    first = work.first
    lines = [
        f"# {work.name}\n",
        f"One network with {len(compared)} adapters for {first.recipe['app']['task']}.\n",
        f"- Model: {first.described['model']['name']}; adapted by {first.about['method']['name']}",
        f"- Licence: {first.recipe['app']['license']}\n",
        "| adapter | classes | test score | logits apart from its run's network |\n|---|---|---|---|",
    ]
    rows = zip(work.members, compared, strict=True)
    lines += [
        f"| {member.name} | {found.classes} | {_score(member)} | {found.largest_change:.1e} |" for member, found in rows
    ]
    return "\n".join(lines) + "\n"


def _score(member: Member) -> str:
    """The first metric on the run's test set, where this network was measured."""
    if not member.ships_it_plain:
        return ""
    name, found = next(iter(member.facts["evaluate"]["facts"]["metrics"].items()))
    return f"{name} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"

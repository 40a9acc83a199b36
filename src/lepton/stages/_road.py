"""The road: runs the stages in their order, skips what is done, and goes on where a killed run was."""

import hashlib
import inspect
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import tomli_w

from lepton.core import artifacts, files, machine, plugins, settings
from lepton.core.artifacts import Artifact
from lepton.core.errors import ContractNotKept
from lepton.core.ledger import Ledger
from lepton.core.progress import Progress, Silent
from lepton.formats import _read
from lepton.stages import prepare
from lepton.stages._recipe import Recipe, load
from lepton.stages._stage import Stage
from lepton.training import processes

LIBRARIES = ("numpy", "torch", "onnxruntime", "tokenizers", "pillow", "transformers", "peft")
"""Libraries whose versions change what a stage makes."""


@dataclass(frozen=True)
class Run:
    """A run's folder and what was made in it, by stage."""

    folder: Path
    artifacts: Mapping[str, Artifact]
    skipped: Sequence[str]

    @property
    def app(self) -> Path:
        """The packaged application."""
        return self.folder / "app"


def run(
    recipe: str | Path | Recipe,
    *,
    out: str | Path | None = None,
    sets: Sequence[str] = (),
    until: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Take the recipe down the road, into the folder `out` (see `folder_for`). A checked `Recipe` is taken as it is.

    Finished stages whose inputs have not changed are skipped; a killed one goes on from its checkpoint or journal.
    `until` names the last stage to run. Raises Faults for a wrong recipe and ContractNotKept where nothing keeps
    the contract. Of the processes that a launcher started the first one walks, and the others help it to train.
    """
    return processes.led(lambda: _walked(recipe, out, (sets, until, progress)))


def _walked(
    recipe: str | Path | Recipe,
    out: str | Path | None,
    how: tuple[Sequence[str], str | None, Progress | None],
) -> Run:
    sets, until, progress = how
    checked = recipe if isinstance(recipe, Recipe) else load(Path(recipe), sets)
    order = stage_order(until)
    folder = folder_for(checked, out)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / "recipe.toml", tomli_w.dumps(_without_none(checked.table)))
    road = _Road(checked, folder, Ledger(folder / "ledger.jsonl"), progress or Silent())
    return road.go(order)


def folder_for(recipe: Recipe, out: str | Path | None = None) -> Path:
    """The run's folder: `out`, or `runs/<app name>` under the working folder."""
    return Path(out) if out else Path("runs") / str(recipe.table["app"]["name"])


def stage_order(until: str | None = None) -> list[str]:
    """The stages in the order of their needs, up to `until`."""
    known = plugins.names("stages")
    if until is not None and until not in known:
        raise plugins.unknown("stage in --until", until, known)
    graph = {name: plugins.load("stages", name).AFTER for name in known}
    order = list(TopologicalSorter(graph).static_order())
    return order[: order.index(until) + 1] if until else order


@dataclass(frozen=True)
class _Road:
    recipe: Recipe
    folder: Path
    ledger: Ledger
    progress: Progress

    def go(self, order: Sequence[str]) -> Run:
        self.ledger.write("run", recipe=self.recipe.table, time=time.time(), machine=machine.fingerprint())
        done: dict[str, Artifact] = {}
        skipped = []
        for name in order:
            done[name], was_there = self._stage(name, done)
            skipped += [name] if was_there else []
            self._publish(done[name])
        return Run(self.folder, done, skipped)

    def _publish(self, artifact: Artifact) -> None:
        """Put the app that a stage made where it is looked for."""
        if (artifact.folder / "app").is_dir():
            with files.folder_aside(self.folder / "app") as aside:
                shutil.copytree(artifact.folder / "app", aside, dirs_exist_ok=True)

    def _stage(self, name: str, done: Mapping[str, Artifact]) -> tuple[Artifact, bool]:
        module = plugins.load("stages", name)
        parents = {parent: done[parent] for parent in module.AFTER}
        inputs = _inputs(module, self.recipe, parents)
        key = artifacts.key(name, inputs)
        root = self.folder / "artifacts"
        found = artifacts.find(root, key)
        artifact = found or self._make(module, key, (inputs, parents))
        self._record(name, artifact, skipped=found is not None)
        return artifact, found is not None

    def _make(self, module: ModuleType, key: str, made_from: tuple[dict[str, Any], Mapping[str, Artifact]]) -> Artifact:
        inputs, parents = made_from
        began = time.perf_counter()
        self.progress.say(f"{key.rsplit('-', 1)[0]} ...")
        scratch = self.folder / "scratch" / key
        scratch.mkdir(parents=True, exist_ok=True)

        def fill(folder: Path) -> dict[str, Any]:
            stage = self._handed(module, (folder, scratch, parents))
            self._go(module, stage)
            seconds = time.perf_counter() - began
            return {
                "facts": settings.plain(stage.facts),
                "seconds": seconds,
                "seed": stage.seed,
                "versions": versions(),
            }

        artifact = artifacts.make(self.folder / "artifacts", key, inputs=inputs, fill=fill)
        shutil.rmtree(scratch, ignore_errors=True)
        return artifact

    def _go(self, module: ModuleType, stage: Stage) -> None:
        """Run a stage; a refusal leaves no artifact, so what it measured goes to the ledger at once."""
        try:
            module.run(stage)
        except ContractNotKept as refusal:
            self.ledger.write(
                "refused", section=module.SECTION, message=refusal.message, facts=settings.plain(stage.facts)
            )
            raise

    def _handed(self, module: ModuleType, places: tuple[Path, Path, Mapping[str, Artifact]]) -> Stage:
        folder, scratch, parents = places
        own = settings.build(module.Settings, self.recipe.table[module.SECTION])
        above = {name: artifact.folder for name, artifact in parents.items()}
        return Stage(self.recipe.table, own, self.recipe.base, folder, scratch, above, self.progress)

    def _record(self, name: str, artifact: Artifact, *, skipped: bool) -> None:
        described = artifact.description
        facts = {"facts": described["facts"], "seconds": described["seconds"], "versions": described["versions"]}
        self.ledger.write("stage", stage=name, artifact=artifact.folder.name, skipped=skipped, **facts)
        took = "already done" if skipped else f"done in {described['seconds']:.1f} s"
        self.progress.say(f"{name}: {took}")


def versions() -> dict[str, str]:
    """The versions of the libraries that matter, and Lepton's."""
    return {name: version(name) for name in (*LIBRARIES, "lepton-transfer")}


def _inputs(module: ModuleType, recipe: Recipe, parents: Mapping[str, Artifact]) -> dict[str, Any]:
    """All that decides what a stage makes: its name is their hash."""
    used = module.inputs(recipe.table)
    place = machine.fingerprint() if module.MEASURES else {}
    return {
        "settings": used,
        "seed": recipe.table["app"]["seed"],
        "task": recipe.table["app"]["task"],
        "parents": {name: artifact.digest for name, artifact in parents.items()},
        "sources": _sources(module, used),
        "data": _data_state(recipe) if not parents else {},
        "versions": versions(),
        "machine": place,
    }


def _sources(module: ModuleType, used: Any) -> dict[str, str]:
    """Hashes of the stage's own source, of what it imports from its room, and of the rooms it leans on."""
    rooms = [path for room in module.ROOMS for path in _room_files(room)]
    own = [plugins.source(each) for each in (module, *_imported(module))]
    paths = sorted({*own, *rooms})
    return {f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in paths}


def _imported(module: ModuleType) -> list[ModuleType]:
    """The files of the stages' room that a stage imports, and those that they import."""
    found: dict[str, ModuleType] = {}
    waiting = [module]
    while waiting:
        for value in vars(waiting.pop()).values():
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
            if name.startswith("lepton.stages._") and name not in found:
                found[name] = sys.modules[name]
                waiting.append(found[name])
    return list(found.values())


def _room_files(room: str) -> list[Path]:
    module = __import__(f"lepton.{room}", fromlist=["*"])
    own = [Path(path) / name.name for path in module.__path__ for name in Path(path).glob("*.py")]
    foreign = [Path(inspect.getfile(plugins.load(room, name))) for name in plugins.names(room)]
    return sorted({*own, *foreign})


def _data_state(recipe: Recipe) -> dict[str, Any]:
    """Names, sizes and times of the source's files, and the corrections: what changes when the user's data changes.

    Databases have no such signs, so they are read.
    """
    source, decided = (recipe.table["data"][name] for name in ("source", "corrections"))
    paths = list(source.values() if isinstance(source, Mapping) else [source])
    corrected = {"corrections": files.sha256(recipe.base / decided)} if decided else {}
    if any(map(_read.is_address, paths)):
        return {"read": _content(recipe), **corrected}
    found = [recipe.base / path for path in paths]
    everything = [item for path in found for item in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    state = {str(item): [item.stat().st_size, item.stat().st_mtime_ns] for item in everything if item.is_file()}
    return {**state, **corrected}


def _content(recipe: Recipe) -> str:
    """A hash of all that the source holds."""
    chosen = settings.build(prepare.Settings, recipe.table["data"])
    reading = prepare.read(chosen, recipe.base, plugins.load("tasks", recipe.table["app"]["task"]).MODALITY)
    total = hashlib.sha256()
    for record in reading.records:
        total.update(repr((record.id, record.raw, record.label, record.split, sorted(record.fields.items()))).encode())
    return total.hexdigest()


def _without_none(value: Any) -> Any:
    """TOML has no null: what is None was left out."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def check(recipe: str | Path, sets: Sequence[str] = ()) -> Recipe:
    """Check a recipe and run nothing; raises Faults naming everything that is wrong."""
    return load(Path(recipe), sets)

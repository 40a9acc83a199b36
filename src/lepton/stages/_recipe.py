"""Recipes: reading them, setting single values, and checking everything at once before anything runs."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton.core import plugins, settings
from lepton.core.contract import Contract
from lepton.core.errors import Faults, UserError
from lepton.core.settings import Plugin
from lepton.core.types import Json
from lepton.formats import _read, _splits
from lepton.stages import _adapt, _methods, _origin, _plans

_PLACE = "A path starts from the recipe's folder"
_BEGINNINGS = ("start", "adapter")
"""The settings of [train] that are paths."""

_PLACES = ("path", "hub")
"""The settings of [model] that are paths."""


@dataclass(frozen=True, kw_only=True)
class AppSettings:
    """The recipe's [app]: the name of what comes out, the task, the seed, and free words for the card."""

    name: str
    task: str
    seed: int = 0
    license: str = "not stated"
    data_license: str = "not stated"
    description: str = ""


@dataclass(frozen=True)
class Recipe:
    """A checked recipe with every default filled in, and the folder that its paths start from."""

    table: Json
    base: Path
    path: Path


def load(path: Path, sets: Sequence[str] = ()) -> Recipe:
    """Read, change by `sets` (`a.b=c`) and check the recipe at `path`.

    Raises Faults with every fault found, or UserError where it is no TOML at all.
    """
    table = read(path)
    for item in sets:
        _set(table, item)
    resolved, faults = resolve(table, path.parent)
    if faults:
        raise Faults(str(path), faults)
    return Recipe(resolved, path.parent.resolve(), path)


def read(path: Path) -> dict[str, Any]:
    """The TOML table in `path`."""
    if not path.is_file():
        raise UserError("There is no such recipe", received=path, remedy="Write one with: lepton init TASK --data PATH")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML", rule=str(error), remedy="Mend that line") from error


def resolve(table: Mapping[str, Any], base: Path) -> tuple[dict[str, Any], list[UserError]]:
    """Every section resolved against its schema, and every fault in them and between them."""
    sections = schemas()
    faults = [plugins.unknown("section", name, list(sections)) for name in table if name not in sections]
    resolved: dict[str, Any] = {}
    filled, astray = _begun(table, base)
    filled = {**filled, "train": _train_given(filled, _named(filled.get("model")))}
    for name, schema in sections.items():
        resolved[name], more = _section(name, schema, filled)
        faults += more
    faults += astray or _adapt_faults(resolved)
    if _named(resolved["model"]) == "auto" and not faults:
        resolved["candidates"] = _families(table, str(resolved["app"]["task"]))
    return resolved, faults + _across(table, resolved, base)


def schemas() -> dict[str, Any]:
    """The sections a recipe can have: [app], [model], [contract] and one for each stage that has settings."""
    found: dict[str, Any] = {"app": AppSettings}
    for name in plugins.names("stages"):
        stage = plugins.load("stages", name)
        found.setdefault(stage.SECTION, stage.Settings)
    choices = {"model": Plugin("models", "build", also=("auto",)), "adapt": Plugin("adapt", "adapt", also=("auto",))}
    return {**found, **choices, "contract": Contract}


_LEFT_OUT = {"model": "auto", "adapt": "full"}
"""What is chosen where the recipe is silent."""


def _section(name: str, schema: Any, table: Mapping[str, Any]) -> tuple[Any, list[UserError]]:
    given = table.get(name, _left_out(name, table) if isinstance(schema, Plugin) else {})
    if name == "adapt" and _named(given) == "auto":
        return _compared(given if isinstance(given, Mapping) else {})
    if isinstance(schema, Plugin):
        return settings.choose(given, schema, name)
    if not isinstance(given, Mapping):
        rule = f"It must be a table: [{name}]"
        return {}, [UserError(f"[{name}] is wrong", rule=rule, received=repr(given))]
    return settings.resolve(schema, given, name)


def _left_out(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The choice where the recipe is silent; a family whose weights stay as they are says itself how it is adapted."""
    usual = _family_says("ADAPT", _named(table.get("model"))) if name == "adapt" else None
    return {"name": usual or _LEFT_OUT[name]}


def _family_says(what: str, name: str | None) -> Any:
    """A constant of the model family `name`, where there is such a family and it has one."""
    return getattr(plugins.load("models", name), what, None) if name in plugins.names("models") else None


def _compared(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[UserError]]:
    """[adapt] where the methods are compared: which ones, each with all its settings, and the budget."""
    own = {key: value for key, value in given.items() if key != "name"}
    found, faults = settings.resolve(_methods.Auto, own, "adapt")
    methods = found.get("methods")
    if methods == []:
        remedy = "Leave adapt.methods out to compare every method"
        faults.append(UserError("[adapt.methods] is empty", rule="It must name one method at least", remedy=remedy))
    asked = _methods.every() if methods is None else methods
    return {
        "name": "auto",
        **found,
        "methods": [item for at, item in enumerate(asked) if item not in asked[:at]],
    }, faults


def _named(choice: Any) -> str | None:
    """The name in a plug-in choice, where it has one."""
    name = choice.get("name") if isinstance(choice, Mapping) else choice
    return name if isinstance(name, str) else None


def _train_given(table: Mapping[str, Any], model: str | None) -> Any:
    """The recipe's [train] over what the model's family says is good for it (its TRAIN)."""
    given = table.get("train", {})
    usual = _family_says("TRAIN", model) or {}
    return {**usual, **given} if isinstance(given, Mapping) else given


def _brought_from(model: Any, base: Path) -> dict[str, Any]:
    """[model] with the places of what is brought made whole, where something lies there; an id of the hub stays."""
    if not isinstance(model, Mapping):
        return {}
    said = {name: base / model[name] for name in _PLACES if isinstance(model.get(name), str)}
    return {"model": {**model, **{name: str(place.resolve()) for name, place in said.items() if place.exists()}}}


def _begun(table: Mapping[str, Any], base: Path) -> tuple[dict[str, Any], list[UserError]]:
    """The recipe with paths that training begins with made whole, and the model of the run that it starts from."""
    train = table.get("train", {})
    if not isinstance(train, Mapping):
        return dict(table), []
    paths = {name: str((base / train[name]).resolve()) for name in _BEGINNINGS if isinstance(train.get(name), str)}
    filled = {**table, "train": {**train, **paths}} if paths else dict(table)
    filled |= _brought_from(table.get("model"), base)
    try:
        model = _origin.model_of(Path(paths["start"])) if "start" in paths else None
        _ = _adapt.located(Path(paths["adapter"])) if "adapter" in paths else None
    except UserError as fault:
        return filled, [fault]
    return ({"model": model, **filled} if model else filled), []


def _families(table: Mapping[str, Any], task: str) -> list[dict[str, Any]]:
    """What `model = "auto"` stands for: each setting that a family offers for the task (its AUTO), fully resolved."""
    found = []
    for name in models_for(task):
        for variant in getattr(plugins.load("models", name), "AUTO", ()):
            model, _ = settings.choose({"name": name, **variant}, Plugin("models", "build"), "model")
            train = settings.settle(schemas()["train"], _train_given(table, name), "train")
            found.append({"model": model, "train": train})
    return found


def _across(table: Mapping[str, Any], resolved: Mapping[str, Any], base: Path) -> list[UserError]:
    """Faults that no single section shows: an unknown task, a model or metric that does not serve it, no data, a plan.

    The chain of `compress.passes` is one that cannot work where a method does not take what the one before leaves.
    """
    app = resolved.get("app", {})
    task = app.get("task")
    faults = _task_faults(task, resolved)
    faults += _data_faults(table.get("data"), base)
    return faults + _pass_faults(resolved.get("compress"))


def _adapt_faults(resolved: Mapping[str, Any]) -> list[UserError]:
    """A method that keeps most weights as they are, where no weights are given; plain weights without their model."""
    train, model = ({} if not isinstance(item, Mapping) else item for item in map(resolved.get, ("train", "model")))
    begun = train.get("start") or train.get("adapter")
    if _named(model) == "auto" and begun:
        rule = "Weights alone do not say what they belong to"
        return [
            UserError("[model] is missing", rule=rule, received=begun, remedy="Name the family: [model] name = ...")
        ]
    method = _named(resolved.get("adapt"))
    knows = ("hub" in model and model.get("pretrained")) or _family_says("ADAPT", _named(model))
    if method in ("full", None) or begun or knows:
        return []
    rule = "It trains a few weights beside those of a network that knows something"
    remedy = 'Say train.start = "RUN", or model = { name = "hub", hub = "FOLDER" }'
    return [UserError(f"[adapt] {method} has no weights to start from", rule=rule, remedy=remedy)]


def _task_faults(task: Any, resolved: Mapping[str, Any]) -> list[UserError]:
    if not isinstance(task, str):
        return []
    if task not in plugins.names("tasks"):
        return [plugins.unknown("task in [app.task]", task, plugins.names("tasks"))]
    faults = []
    model = resolved.get("model")
    name = model.get("name") if isinstance(model, Mapping) else None
    if name in plugins.names("models") and task not in plugins.load("models", name).OBJECTIVES:
        faults.append(
            UserError(f"[model] {name} does not do {task}", rule=f"Models that do: {', '.join(models_for(task))}")
        )
    metric = (resolved.get("contract", {}).get("metric") or {}).get("name")
    if metric is not None:
        metrics = list(plugins.load("tasks", task).METRICS)
        if metric not in metrics:
            faults.append(plugins.unknown(f"metric of {task} in [contract.metric.name]", metric, metrics))
    return faults


def _data_faults(data: Any, base: Path) -> list[UserError]:
    if not isinstance(data, Mapping):
        return []
    decided = _corrections_faults(data.get("corrections"), base)
    return [*_source_faults(data.get("source"), base), *_split_faults(data.get("split")), *decided]


def _corrections_faults(path: Any, base: Path) -> list[UserError]:
    if not isinstance(path, str) or (base / path).is_file():
        return []
    remedy = f"lepton review DATA --import FILE --by NAME -c {path} makes it"
    return [UserError("[data.corrections] is no file", rule=_PLACE, received=path, remedy=remedy)]


def _pass_faults(compress: Any) -> list[UserError]:
    passes = compress.get("passes") if isinstance(compress, Mapping) else None
    names = [_named(item) for item in passes] if isinstance(passes, list) else []
    if not set(names) <= set(plugins.names("compress")):
        return []
    return _plans.faults([{"name": name} for name in names])


def _split_faults(split: Any) -> list[UserError]:
    if not isinstance(split, Mapping):
        return []
    try:
        _splits.check(split)
    except UserError as fault:
        return [fault]
    return []


def _source_faults(source: Any, base: Path) -> list[UserError]:
    sources = list(source.values()) if isinstance(source, Mapping) else [source]
    builtin = plugins.names("formats")
    named = [item for item in sources if isinstance(item, str) and item not in builtin]
    if any(_read.is_address(item) and _read.has_password(item) for item in named):
        rule = "A recipe is kept and shown, so passwords are named in it: postgresql://ann:${DB_PASSWORD}@host/shop"
        return [UserError("[data.source] has a password in it", rule=rule, remedy="Set such a variable instead")]
    asked = [item for item in named if not _read.is_address(item)]
    missing = [item for item in asked if not item.strip() or "\0" in item or not (base / item).exists()]
    return [UserError("[data.source] does not exist", rule=_PLACE, received=item) for item in missing]


def models_for(task: str) -> list[str]:
    """The names of the models that serve `task`."""
    return [name for name in plugins.names("models") if task in plugins.load("models", name).OBJECTIVES]


def _set(table: dict[str, Any], item: str) -> None:
    """Apply `a.b=c`: the value is TOML, and a string where it does not parse; a table replaces the old one."""
    path, equals, text = item.partition("=")
    if not equals or not path.strip():
        raise UserError("--set is wrong", rule="It must be section.key=value", received=item)
    *outer, last = path.strip().split(".")
    for name in outer:
        table = _inner(table, name, item)
    table[last] = _value(text)


def _inner(table: dict[str, Any], name: str, item: str) -> dict[str, Any]:
    """The table `name` in `table`; a plug-in named by a string becomes a table with that name."""
    inner = table.get(name, {})
    table[name] = {"name": inner} if isinstance(inner, str) else inner
    if not isinstance(table[name], dict):
        raise UserError("--set is wrong", rule=f"{name} is no table", received=item)
    found: dict[str, Any] = table[name]
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

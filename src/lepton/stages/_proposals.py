"""What the search proposes: chains of the methods that the compress room holds, and students of every family."""

from collections.abc import Iterator, Sequence
from typing import Any

from lepton.core import plugins, settings
from lepton.stages import _plans
from lepton.stages._plans import Plan, Step

FRACTIONS = (1.0, 0.5, 0.25)
"""How wide the students of each family are."""


def on_graphs() -> list[tuple[Step, ...]]:
    """Every chain of the methods on graphs that propose themselves, but for packing, which comes last."""
    singles = [step for step in _proposed("graph") if step["name"] not in giving("packed")]
    pairs = [(one, other) for one in singles for other in singles if one != other]
    chains = [*((one,) for one in singles), *pairs]
    return [chain for chain in chains if not _plans.faults(chain, begins="graph")]


def on_networks(task: str) -> list[Plan]:
    """What each method on networks proposes for itself, and the students of every family for the task."""
    found = [Plan((step,)) for step in _proposed("network")]
    for name in plugins.names("compress"):
        students = getattr(plugins.load("compress", name), "students", None)
        if students is not None:
            found += [Plan((_plans.step(name, **given),)) for given in students(models(task))]
    return list({plan.name: plan for plan in found}.values())


def behind(plans: Sequence[Plan]) -> list[Plan]:
    """The methods that train behind those of `plans` that do not (their TRAINS is False)."""
    free = [plan for plan in plans if len(plan.steps) == 1 and not _trains(plan.steps[0])]
    trained = [step for step in _proposed("network") if _trains(step)]
    return [plan.then(step) for plan in free for step in trained]


def giving(form: str) -> list[str]:
    """The methods that leave such a form behind."""
    methods = {name: plugins.load("compress", name) for name in plugins.names("compress")}
    return [name for name, method in methods.items() if form == method.GIVES]


def preparing(steps: Sequence[Step]) -> list[str]:
    """The methods on networks after which what `steps` leave behind loses less (their PREPARES)."""
    forms = {plugins.load("compress", step["name"]).GIVES for step in steps}
    found = {name: getattr(plugins.load("compress", name), "PREPARES", "") for name in plugins.names("compress")}
    return [name for name, prepared in found.items() if prepared in forms]


def models(task: str) -> list[dict[str, Any]]:
    """Each family's proposals for the task at several widths, fully resolved, each once."""
    found: dict[str, dict[str, Any]] = {}
    for name in plugins.names("models"):
        family = plugins.load("models", name)
        if task not in family.OBJECTIVES:
            continue
        for given in getattr(family, "AUTO", ()):
            for fraction in FRACTIONS:
                chosen = dict(given) if fraction == 1 else family.smaller(dict(given), fraction)
                model = {"name": name, **settings.settle(family.build, chosen, "model")}
                found[str(model)] = model
    return list(found.values())


def _proposed(form: str) -> Iterator[Step]:
    for name in plugins.names("compress"):
        method = plugins.load("compress", name)
        if form in method.TAKES:
            yield from (_plans.step(name, **given) for given in method.AUTO)


def in_turn(plans: Sequence[Plan]) -> list[Plan]:
    """Plans in order of size: those that need no training first, then the smallest, the largest, the next smallest ...

    A small budget then sees some of each.
    """
    free = [plan for plan in plans if not trains(plan)]
    others = [plan for plan in plans if trains(plan)]
    places = (index // 2 if index % 2 == 0 else -1 - index // 2 for index in range(len(others)))
    return [*free, *(others[place] for place in places)]


def trains(plan: Plan) -> bool:
    """Whether any step of a plan trains."""
    return any(map(_trains, plan.steps))


def anew(plan: Plan) -> bool:
    """Whether a plan has a step that starts with fresh weights, as students do."""
    return any(hasattr(plugins.load("compress", step["name"]), "students") for step in plan.steps)


def _trains(step: Step) -> bool:
    return bool(getattr(plugins.load("compress", step["name"]), "TRAINS", True))

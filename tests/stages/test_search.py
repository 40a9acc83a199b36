"""The search, on plans whose cost and quality are made up: what it trains, what it leaves out, and where it goes on."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lepton.core import plugins
from lepton.core.contract import Contract, Latency, Metric
from lepton.core.errors import UserError
from lepton.core.ledger import Ledger
from lepton.core.progress import Silent
from lepton.runtime.bench import Ratio
from lepton.stages import _proposals, _search, _trials
from lepton.stages._plans import Plan, step
from lepton.stages._search import Search
from lepton.stages._trials import Bench, Cost, Trial


def plugin(name: str, takes: str, gives: str, **more: Any) -> ModuleType:
    """A compression method; its arithmetic is in `World`."""
    module = ModuleType(name)
    module.TAKES, module.GIVES, module.AUTO = tuple(takes.split()), gives, more.pop("AUTO", ({},))
    module.compress = lambda candidate, context, *, width: candidate if takes == "network" else None
    if takes != "network":
        module.compress = lambda candidate, context: candidate
    module.compress.__annotations__ = {"width": float} if takes == "network" else {}
    vars(module).update(more)
    return module


@dataclass(frozen=True)
class Made:
    """A candidate that knows how it was made."""

    steps: tuple[Mapping[str, Any], ...] = ()
    effort: float = 1.0
    network: str = "a network"


@dataclass
class World:
    """Makes, opens and measures candidates by a few rules, and counts what it was asked for.

    A student of width w takes w of the time and size and reaches `quality(w)`; 8 bits halve the time and a packed
    graph has half the size. `refuses` names methods that cannot work behind a student.
    """

    quality: Callable[[float], float]
    refuses: Mapping[str, Callable[[Made], bool]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    start: Made = Made()
    seconds: float = 0.0

    @property
    def shop(self) -> Any:
        return SimpleNamespace(data=SimpleNamespace(task="image-classification"))

    def network(self, steps: Sequence[Mapping[str, Any]], *, effort: float) -> Made:
        if effort and steps:
            self.calls.append(f"train {_width(steps):g} {effort:g}")
        made = Made(tuple(steps), effort)
        self._check(made, steps)
        return made

    def weights(self, steps: Sequence[Mapping[str, Any]]) -> float:
        self._check(Made(tuple(steps)), steps)
        return _width(steps)

    def graph(self, candidate: Made, steps: Sequence[Mapping[str, Any]], *, place: str) -> Made:
        for item in steps:
            candidate = Made((*candidate.steps, item), candidate.effort)
            self._check(candidate, [item])
        return candidate

    def score(self, candidate: Made) -> float:
        return self.quality(_width(candidate.steps)) - 0.2 * (1 - candidate.effort)

    def open(self, candidate: Made, place: str) -> Any:
        return SimpleNamespace(made=candidate, bundle=SimpleNamespace(size_mb=lambda: size(candidate)))

    def measure(self, plan: str, app: Any, how: Bench) -> Trial:
        self.calls.append(f"measure {plan}")
        found, metric = self.price(app.made), self.score(app.made)
        lost = 0.9 - metric
        return Trial(
            plan, metric, lost, max(lost, 0.0) + 0.005, found.p50_ms, found.p95_ms, found.model_p50_ms,
            found.model_p95_ms, found.ratio.value, found.ratio.low, found.ratio.high, found.size_mb, True,
        )  # fmt: skip

    def cost(self, app: Any, how: Bench, *, quick: bool = False) -> Cost:
        self.calls.append(f"sketch {app.made.steps[0].get('width')}")
        return self.price(app.made)

    def price(self, made: Made) -> Cost:
        time = _width(made.steps) * (0.5 if "eight" in names(made.steps) else 1.0)
        time *= 3.0 if "slow" in names(made.steps) else 1.0
        return Cost(10 * time, 12 * time, 9 * time, 11 * time, Ratio(time, time - 0.01, time + 0.01), size(made))

    def _check(self, made: Made, steps: Sequence[Mapping[str, Any]]) -> None:
        for item in steps:
            if self.refuses.get(item["name"], lambda made: False)(made):
                raise UserError(f"{item['name']} cannot work here")


def names(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    return [item["name"] for item in steps]


def size(made: Made) -> float:
    return _width(made.steps) * (0.5 if "packed" in names(made.steps) else 1.0)


def _width(steps: Sequence[Mapping[str, Any]]) -> float:
    return next((item["width"] for item in steps if "width" in item), 1.0)


WIDTHS = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
METHODS = {
    "shrink": plugin("shrink", "network", "network", AUTO=tuple({"width": width} for width in WIDTHS)),
    "eight": plugin("eight", "graph", "quantised"),
    "packed": plugin("packed", "graph quantised", "packed"),
}


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The methods that there are, to be added to."""
    known, own = dict(METHODS), plugins._own
    points = {name: SimpleNamespace(load=lambda name=name: known[name]) for name in (*known, "slow", "ready")}
    monkeypatch.setattr(plugins, "_own", lambda room: [] if room == "compress" else own(room))
    monkeypatch.setattr(
        plugins, "_foreign", lambda room: {name: points[name] for name in known} if room == "compress" else {}
    )
    return known


@pytest.fixture
def search(methods, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Search]:
    """Makes a search over a world; its journal is `trials.jsonl`."""

    def make(world: World, *, minutes: float = 10.0, contract: Contract | None = None) -> Search:
        monkeypatch.setattr(_trials, "measure", world.measure)
        monkeypatch.setattr(_trials, "cost", world.cost)
        asked = contract or Contract(metric=Metric(max_drop=0.05))
        bench = Bench([], ["x"] * 400, ["x"], None, asked, 0, world.open(Made(), "onnx"))
        return Search(world, bench, world.open, Ledger(tmp_path / "trials.jsonl"), Silent(), minutes)

    return make


def level(width: float) -> float:
    """Students down to a width of 0.4 are as good as the model, the others are bad."""
    return 0.9 if width >= 0.4 else 0.5


def chosen(done: Search) -> str | None:
    held = {trial.plan: _trials.clauses(trial, done.trials[0], done.bench) for trial in done.trials}
    found = _trials.winner(done.trials, held)
    return found.plan if found else None


def test_the_cheapest_plan_that_keeps_its_answers_wins(search) -> None:
    done = search(World(level))
    done.auto()
    assert chosen(done) == "shrink(width 0.4)+eight+packed"


def test_the_more_promising_half_goes_on_and_the_cheapest_is_trained_in_full(search) -> None:
    world = World(level)
    done = search(world)
    done.auto()
    assert [(rung.plan, rung.kept) for rung in done.rungs if rung.effort == _search.RUNGS[0]] == [
        *((f"shrink(width {width})", True) for width in (0.4, 0.5, 0.6, 0.7)),
        *((f"shrink(width {width})", False) for width in (0.8, 0.9, 0.2, 0.3)),
    ]
    assert [(rung.plan, rung.kept) for rung in done.rungs if rung.effort == _search.RUNGS[1]] == [
        *((f"shrink(width {width})", True) for width in (0.4, 0.5)),
        *((f"shrink(width {width})", False) for width in (0.6, 0.7)),
    ]
    assert [call for call in world.calls if call.startswith("train") and call.endswith(" 1")] == [
        *["train 0.4 1"] * 3,  # once with the chain, once without, and once packed
        *(f"train {width} 1" for width in (0.2, 0.3) for _ in range(2)),
    ], "what would be cheaper still is tried while the budget lasts; what would not be is not"


def test_while_none_of_the_best_keeps_the_contract_the_rest_is_tried(search) -> None:
    """A small student shines early but only a large one keeps the drop in the end."""
    world = World(lambda width: 0.9 if width >= 0.8 else 0.8)
    done = search(world)
    done.auto()
    assert chosen(done) == "shrink(width 0.8)+eight+packed"


def test_what_would_be_no_cheaper_or_miss_the_contract_is_not_trained(search) -> None:
    world = World(level)
    done = search(world, contract=Contract(metric=Metric(max_drop=0.05), latency=Latency(p95_ms=2.4)))
    done.auto()
    reasons = {item["plan"]: item["why"] for item in done.skipped}
    assert reasons == {f"shrink(width {width})": "latency or size would be missed" for width in WIDTHS[:5]}
    assert not [call for call in world.calls if call.startswith(("train 0.9", "train 0.5"))]


def test_a_size_that_only_packing_reaches_is_no_miss(search) -> None:
    """The student of width 0.5 has 0.5 MB, and 0.25 packed; that without a student is 0.5 packed."""
    done = search(World(level), contract=Contract(metric=Metric(max_drop=0.05), size_mb=0.24))
    done.auto()
    assert chosen(done) == "shrink(width 0.4)+eight+packed"
    assert "shrink(width 0.5)" not in [item["plan"] for item in done.skipped]


def test_every_proposal_is_accounted_for_and_every_point_is_journalled(search, tmp_path: Path) -> None:
    done = search(World(level))
    done.auto()
    told = {*(rung.plan for rung in done.rungs), *(item["plan"] for item in done.skipped)}
    told |= {trial.plan for trial in done.trials}
    assert told >= {Plan((step("shrink", width=width),)).name for width in WIDTHS}
    rows = list(Ledger(tmp_path / "trials.jsonl").read())
    assert [row["plan"] for row in rows if row["event"] == "trial"] == [trial.plan for trial in done.trials]
    assert len([row for row in rows if row["event"] == "sketch"]) == len(WIDTHS)
    assert {(row["plan"], row["effort"]) for row in rows if row["event"] == "rung"} == {
        (rung.plan, rung.effort) for rung in done.rungs
    }


def test_wherever_it_is_killed_it_goes_on_and_ends_the_same(search, tmp_path: Path) -> None:
    calm = search(World(level))
    calm.auto()
    journal = tmp_path / "trials.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) > 40
    for count in range(len(lines) + 1):
        torn = lines[count][:20] if count < len(lines) else ""
        journal.write_text("".join(lines[:count]) + torn)
        world = World(level)
        again = search(world)
        again.auto()
        assert [trial.plain() for trial in again.trials] == [trial.plain() for trial in calm.trials]
        assert [(rung.plan, rung.effort, rung.metric, rung.kept) for rung in again.rungs] == [
            (rung.plan, rung.effort, rung.metric, rung.kept) for rung in calm.rungs
        ]
        assert again.skipped == calm.skipped
        known = {row["plan"] for row in map(json.loads, lines[:count]) if row["event"] == "trial"}
        assert not {f"measure {plan}" for plan in known} & set(world.calls), "what was journalled is measured again"
    assert not [call for call in world.calls if call.startswith(("measure", "sketch"))]


def test_a_budget_that_is_spent_leaves_plans_out_and_says_so(search) -> None:
    world = World(level)
    done = search(world, minutes=0.0)
    done.auto()
    plans = [f"shrink(width {width})" for width in (0.2, 0.9, 0.3, 0.8, 0.4, 0.7, 0.5, 0.6)]
    assert done.skipped == [{"plan": plan, "why": "the budget was spent"} for plan in plans]
    assert [trial.plan for trial in done.trials] == ["onnx", "eight", "packed", "eight+packed"]
    assert not [call for call in world.calls if call.startswith(("train", "sketch"))]


@pytest.mark.parametrize("share", [0.35, 0.7, 1.1])
def test_what_was_measured_before_the_budget_was_spent_counts_after_a_kill(search, tmp_path: Path, share) -> None:
    """A search was killed late; the second one has no time left, but knows all that the first one knew."""
    calm = search(World(level))
    calm.auto()
    Ledger(tmp_path / "trials.jsonl").write("spent", spent=share * 600.0)
    again = search(World(level))
    again.auto()
    assert chosen(again) == chosen(calm)
    assert again.skipped == calm.skipped
    assert len(again.rungs) == len(calm.rungs)


def test_time_spent_before_a_kill_counts(search, tmp_path: Path) -> None:
    journal = Ledger(tmp_path / "trials.jsonl")
    journal.write("quick", seconds=0.0)
    journal.write("spent", spent=0.31 * 600.0)
    done = search(World(level))
    done.auto()
    assert {item["why"] for item in done.skipped} == {"the budget was spent"}


def test_shares_are_of_what_the_methods_on_graphs_left(search, tmp_path: Path) -> None:
    """They took half of the budget: what else is shared out begins there."""
    journal = Ledger(tmp_path / "trials.jsonl")
    journal.write("quick", seconds=300.0)
    journal.write("spent", spent=310.0)
    done = search(World(level))
    done.auto()
    assert len(done.sketches) == len(WIDTHS)


def test_a_chain_that_does_not_work_on_a_student_is_left_out_for_it(search) -> None:
    world = World(level, {"eight": lambda made: 0.35 < _width(made.steps) < 0.45})
    done = search(world)
    done.auto()
    chains = {sketch.plan.name: [names(chain) for chain in sketch.suffixes] for sketch in done.sketches}
    assert chains["shrink(width 0.4)"] == [[]]
    assert chains["shrink(width 0.5)"] == [["eight"], []]
    assert chosen(done) == "shrink(width 0.5)+eight+packed"


def test_a_student_that_cannot_be_trained_is_skipped_with_its_reason(search) -> None:
    world = World(level, {"shrink": lambda made: made.effort > 0 and _width(made.steps) == 0.4})
    done = search(world)
    done.auto()
    assert {"plan": "shrink(width 0.4)", "why": "shrink cannot work here."} in done.skipped
    assert chosen(done) == "shrink(width 0.5)+eight+packed"


def test_a_method_that_makes_graphs_slower_is_measured_and_not_chosen(search, methods) -> None:
    methods["slow"] = plugin("slow", "graph", "graph")
    done = search(World(level), contract=Contract())
    done.quick()
    assert {"slow", "slow+eight"} <= {trial.plan for trial in done.trials}
    held = {trial.plan: _trials.clauses(trial, done.trials[0], done.bench) for trial in done.trials}
    assert not all(clause.kept for clause in held["slow"])
    assert "slow" not in chosen(done)


class Rough(World):
    """8 bits lose much, unless the network was made ready for them."""

    def score(self, candidate: Made) -> float:
        rough = "eight" in names(candidate.steps) and "ready" not in names(candidate.steps)
        return super().score(candidate) - 0.2 * rough


def test_where_8_bits_lose_too_much_the_plan_is_trained_with_the_rounding_in_sight(search, methods) -> None:
    methods["ready"] = plugin("ready", "network", "network", AUTO=(), PREPARES="quantised")
    methods["ready"].compress = lambda candidate, context: candidate
    done = search(Rough(level))
    done.auto()
    assert chosen(done) == "shrink(width 0.4)+ready+eight"


def test_such_a_plan_is_known_after_a_kill_though_no_time_is_left(search, methods, tmp_path: Path) -> None:
    methods["ready"] = plugin("ready", "network", "network", AUTO=(), PREPARES="quantised")
    methods["ready"].compress = lambda candidate, context: candidate
    search(Rough(level)).auto()
    Ledger(tmp_path / "trials.jsonl").write("spent", spent=1.1 * 600.0)
    again = search(Rough(level))
    again.auto()
    assert chosen(again) == "shrink(width 0.4)+ready+eight"


def test_a_student_whose_graph_cannot_be_opened_is_skipped_with_its_reason(search) -> None:
    class Unreadable(World):
        def open(self, candidate: Made, place: str) -> Any:
            if _width(candidate.steps) == 0.4:
                raise UserError("the graph cannot be opened")
            return super().open(candidate, place)

    done = search(Unreadable(level))
    done.auto()
    assert {"plan": "shrink(width 0.4)", "why": "the graph cannot be opened."} in done.skipped
    assert chosen(done) == "shrink(width 0.5)+eight+packed"


def test_a_chain_that_was_asked_for_and_cannot_work_is_an_error(search) -> None:
    with pytest.raises(UserError, match="eight cannot work here"):
        search(World(level, {"eight": lambda made: True})).passes([step("eight")])
    with pytest.raises(UserError, match="cannot stand after packed"):
        search(World(level)).passes([step("packed"), step("eight")])


def test_a_chain_that_was_asked_for_is_all_that_is_measured(search) -> None:
    done = search(World(level))
    done.passes([step("shrink", width=0.5), step("packed")])
    assert [trial.plan for trial in done.trials] == ["onnx", "shrink(width 0.5)+packed"]
    nothing = search(World(level))
    nothing.passes([])
    assert [trial.plan for trial in nothing.trials] == ["onnx"]


def test_suffixes_are_chains_that_work_and_pack_nothing(methods) -> None:
    methods["slow"] = plugin("slow", "graph", "graph")
    found = [names(chain) for chain in _proposals.on_graphs()]
    assert sorted(found) == [["eight"], ["slow"], ["slow", "eight"]]


def test_small_and_large_plans_take_turns() -> None:
    plans = [Plan((step("distil", fraction=fraction),)) for fraction in (0.1, 0.2, 0.3, 0.4, 0.6)]
    plans.insert(2, Plan((step("vocabulary"),)))
    found = [plan.name for plan in _proposals.in_turn(plans)]
    widths = ["0.1", "0.6", "0.2", "0.4", "0.3"]
    assert found == ["vocabulary", *(f"distil(fraction {width})" for width in widths)]


def test_what_the_budget_does_not_reach_keeps_its_place(search, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second rung finds the time for trying spent: the half that went on is finished, not the other one."""
    calls = []

    def over(self: Search, share: float, needed: float = 0.0) -> bool:
        calls.append(share)
        return share == _search._TRYING and calls.count(share) > len(WIDTHS)

    monkeypatch.setattr(Search, "_over", over)
    done = search(World(level))
    done.auto()
    assert {rung.effort for rung in done.rungs} == {_search.RUNGS[0]}
    assert chosen(done) == "shrink(width 0.4)+eight+packed"

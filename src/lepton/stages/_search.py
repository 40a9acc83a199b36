"""The search for the cheapest plan that keeps the contract.

What a plan costs does not depend on its weights, so latency and size are measured on untrained networks first, and
only what would be cheaper is trained: all a little, the more promising half more, the most promising in full
(successive halving, Jamieson and Talwalkar 2016). Every measured point is journalled before it is used,
so a killed search goes on where it was and chooses as it would have.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from lepton.compress._candidate import Candidate
from lepton.core.errors import UserError
from lepton.core.ledger import Ledger
from lepton.core.progress import Progress
from lepton.runtime.app import App
from lepton.stages import _plans, _proposals, _trials
from lepton.stages._hopes import Hopes
from lepton.stages._plans import Maker, Plan, Step
from lepton.stages._trials import Bench, Cost, Rung, Sketch, Trial

RUNGS = (0.1, 0.3)
"""Shares of the full training after which the less promising half is left out."""

_SKETCHING, _TRYING = 0.3, 0.6
"""Shares of the budget after which no more plans are sketched, and no more are trained a little."""

_CHEAPER = 0.9
"""A plan is worth training when time or size is at most this share of what needs no training."""

_SUFFIXES = 2
"""Chains on the graph that every network is sketched with, beside none."""

Open = Callable[[Candidate, str], App]
"""Makes the app of a candidate, named for its folder."""


Scored = tuple[float, Sketch, float]
"""The metric after a rung, the plan, and the seconds it took."""


@dataclass
class Search:
    """One search: what it makes plans with, what it measures them by, and what it has found so far."""

    maker: Maker
    bench: Bench
    open: Open
    journal: Ledger
    progress: Progress
    minutes: float
    trials: list[Trial] = field(default_factory=list)
    sketches: list[Sketch] = field(default_factory=list)
    rungs: list[Rung] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._known = {row["plan"]: row for row in self.journal.read("trial")}
        self._spent = sum(row["spent"] for row in self.journal.read("spent"))
        self._marked = 0.0
        self._before = 0.0

    def quick(self) -> None:
        """Measure the reference and every method on the graph alone."""
        self.trial(Plan())
        found = [self.trial(Plan(chain)) for chain in _proposals.on_graphs()]
        self._packed(self.trials[:1])
        self._packed([trial for trial in found if trial is not None])

    def passes(self, steps: Sequence[Step]) -> None:
        """Measure the reference and the one chain that was asked for; raises UserError where it cannot work here."""
        self.trial(Plan())
        if steps:
            self._measured(Plan(tuple(steps)))

    def auto(self) -> None:
        """Search: graphs alone first, then plans that train, the most promising first, while one could be cheaper."""
        self.quick()
        self._before = self._quick_took()
        field_ = self._worth(self._sketches())
        rest: list[Sketch] = []
        for effort in RUNGS:
            field_, left = self._halved(field_, effort)
            rest = [*left, *rest]
        left = sorted([*field_, *rest], key=lambda sketch: _proposals.trains(sketch.plan))
        while left:
            sketch = min(left, key=self._is_far_off)  # of equals the first, which is the most promising
            left.remove(sketch)
            if self._would_win(sketch.cost):
                self._finish(sketch)

    # What is measured -------------------------------------------------------------------------------------------

    def trial(self, plan: Plan) -> Trial | None:
        """Measure a plan in full, unless the journal knows how it measured; None where it cannot work here."""
        try:
            return self._measured(plan)
        except UserError as error:
            self._skip(plan, error.message)
            return None

    def _measured(self, plan: Plan) -> Trial:
        if plan.name in self._known:
            row = {key: value for key, value in self._known[plan.name].items() if key != "event"}
            return self._found(Trial(**row))
        for fault in _plans.faults(plan.steps, begins=_plans.brought(self.maker.start)):
            raise fault
        app = self.open(self.candidate(plan), plan.slug) if plan.steps else self.bench.reference
        found = _trials.measure(plan.name, app, self.bench)
        made = Trial(**{**asdict(found), "steps": plan.steps})
        self.journal.write("trial", **made.plain())
        self._note_time()
        return self._found(made)

    def candidate(self, plan: Plan) -> Candidate:
        """The candidate of a plan, trained in full, with its graph."""
        network = self.maker.network(plan.network, effort=1.0)
        return self.maker.graph(network, plan.graph, place=plan.slug)

    def _found(self, trial: Trial) -> Trial:
        self.trials.append(trial)
        told = f"{100 * trial.metric:.2f} %, {trial.model_p50_ms:.3g} ms, {trial.size_mb:.3g} MB"
        self.progress.say(f"measured {trial.plan}: {told}")
        return trial

    def _skip(self, plan: Plan, why: str) -> None:
        told = {"plan": plan.name, "why": why}
        if told not in self.skipped:
            self.skipped.append(told)

    # Before training --------------------------------------------------------------------------------------------

    def _sketches(self) -> list[Sketch]:
        """What plans would cost, small ones and large ones in turn, and then those behind what needs no training."""
        if self.maker.start.network is None:
            return []
        sized = [(self._weights(plan), plan) for plan in _proposals.on_networks(self.maker.shop.data.task)]
        sized.sort(key=lambda pair: pair[0])
        self._sketch_all(_proposals.in_turn([plan for weights, plan in sized if weights < math.inf]))
        self._sketch_all(_proposals.behind([sketch.plan for sketch in self.sketches]))
        return self.sketches

    def _weights(self, plan: Plan) -> float:
        """How many weights a plan leaves; infinitely many where it cannot work here."""
        try:
            return self.maker.weights(plan.network)
        except UserError as error:
            self._skip(plan, error.message)
            return math.inf

    def _sketch_all(self, plans: Sequence[Plan]) -> None:
        known = {row["plan"]: row for row in self.journal.read("sketch")}
        with self.progress.bar("sketching plans", len(plans)) as bar:
            for plan in plans:
                if plan.name not in known and self._over(_SKETCHING):
                    self._skip(plan, "the budget was spent")
                    continue
                sketch = self._sketch(plan, known.get(plan.name))
                bar.step(1, plan.name)
                if sketch is not None:
                    self.sketches.append(sketch)

    def _sketch(self, plan: Plan, known: Mapping[str, Any] | None) -> Sketch | None:
        if known is not None:
            kept = {**known["cost"], "ratio": _trials.ratio_of(known["cost"]["ratio"])}
            return Sketch(plan, tuple(tuple(suffix) for suffix in known["suffixes"]), Cost(**kept))
        try:
            bare = self.maker.network(plan.network, effort=0)
            network = self.maker.graph(bare, (), place=f"sketch-{plan.slug}")
            tried = [(suffix, self._cost(network, suffix, plan)) for suffix in self._suffixes_that_work()]
        except UserError as error:
            self._skip(plan, error.message)
            return None
        costs = [(suffix, cost) for suffix, cost in tried if cost is not None]
        costs.sort(key=lambda pair: pair[1].ratio.value)
        sketch = Sketch(plan, tuple(suffix for suffix, _ in costs), costs[0][1])
        self.journal.write("sketch", plan=plan.name, suffixes=sketch.suffixes, cost=asdict(sketch.cost))
        self._note_time()
        return sketch

    def _cost(self, network: Candidate, suffix: tuple[Step, ...], plan: Plan) -> Cost | None:
        """What a network costs behind a chain on its graph, packed where that is smaller; None where it cannot work.

        Raises UserError where the network cannot be opened without any.
        """
        place = f"sketch-{plan.then(*suffix).slug}"
        try:
            made = self.maker.graph(network, suffix, place=place)
            found = _trials.cost(self.open(made, place), self.bench, quick=True)
        except UserError:
            if suffix:
                return None
            raise
        return replace(found, size_mb=min(found.size_mb, *self._packed_sizes(made, suffix, place=place)))

    def _packed_sizes(self, graph: Candidate, chain: tuple[Step, ...], *, place: str) -> Iterator[float]:
        """MB with weights stored in fewer bits, one number a method; infinity in the end."""
        for name in _proposals.giving("packed"):
            step = _plans.step(name)
            if not _plans.faults((*chain, step), begins="graph"):
                packed = f"{place}-{name}"
                yield self.open(self.maker.graph(graph, (step,), place=packed), packed).bundle.size_mb()
        yield math.inf

    def _suffixes_that_work(self) -> list[tuple[Step, ...]]:
        """Nothing, and the chains on the graph that made the trained network fastest."""
        packed = set(_proposals.giving("packed"))
        faster = [trial for trial in self.trials if trial.ratio < 1 and trial.steps and not packed & _used(trial)]
        return [(), *(tuple(trial.steps) for trial in sorted(faster, key=lambda trial: trial.ratio)[:_SUFFIXES])]

    def _worth(self, sketches: Sequence[Sketch]) -> list[Sketch]:
        """The sketches that would be cheaper than what needs no training, and could keep latency and size."""
        kept = [trial for trial in self.trials if self._keeps(trial)] or self.trials[:1]
        time_, size = (min(getattr(trial, name) for trial in kept) for name in ("ratio", "size_mb"))
        found = []
        for sketch in sketches:
            cheaper = sketch.cost.ratio.value <= _CHEAPER * time_ or sketch.cost.size_mb <= _CHEAPER * size
            fits = _trials.could_keep(sketch.cost, self.bench.contract)
            if cheaper and fits:
                found.append(sketch)
            else:
                self._skip(sketch.plan, "no faster and no smaller" if fits else "latency or size would be missed")
        return found

    # Training ---------------------------------------------------------------------------------------------------

    def _halved(self, sketches: Sequence[Sketch], effort: float) -> tuple[list[Sketch], list[Sketch]]:
        """The half that goes on after `effort` of the training, and the rest, each the most promising first."""
        if len(sketches) <= 2 and effort != RUNGS[0]:  # the first rung also tells how long training in full takes
            return list(sketches), []
        known = {(row["plan"], row["effort"]): row for row in self.journal.read("rung")}
        scored: list[Scored] = []
        unscored: list[Sketch] = []  # what the budget did not reach; it keeps the place that an earlier rung gave it
        for sketch in sorted(sketches, key=lambda sketch: _proposals.trains(sketch.plan)):
            row = known.get((sketch.plan.name, effort))
            if row is None and self._over(_TRYING):
                unscored.append(sketch)
                continue
            scored += self._rung(sketch, effort, row)
        scored = self._ranked(scored, effort)
        keep = math.ceil(len(scored) / 2)
        for index, (metric, sketch, seconds) in enumerate(scored):
            price = (sketch.cost.model_p50_ms, sketch.cost.size_mb)
            self.rungs.append(Rung(sketch.plan.name, effort, metric, seconds, index < keep, *price))
        ordered = [row[1] for row in scored]
        if effort != RUNGS[0]:
            return [*ordered[:keep], *unscored], ordered[keep:]
        for sketch in unscored:
            self._skip(sketch.plan, "the budget was spent")
        return ordered[:keep], ordered[keep:]

    def _rung(self, sketch: Sketch, effort: float, known: Mapping[str, Any] | None) -> list[Scored]:
        """The metric, the sketch and the seconds it took; nothing where it cannot be trained."""
        if known is not None:
            return [(known["metric"], sketch, known["seconds"])]
        began = time.monotonic()
        try:
            candidate = self.maker.network(sketch.plan.network, effort=effort)
        except UserError as error:
            self._skip(sketch.plan, error.message)
            return []
        metric, seconds = self.maker.score(candidate), time.monotonic() - began
        self.journal.write("rung", plan=sketch.plan.name, effort=effort, metric=metric, seconds=seconds)
        self.progress.say(f"{100 * effort:.0f} % of {sketch.plan.name}: {100 * metric:.2f} %")
        self._note_time()
        return [(metric, sketch, seconds)]

    def _ranked(self, scored: Sequence[Scored], effort: float) -> list[Scored]:
        """The most promising plans first; networks that start anew are behind at first, so each kind has a best."""
        best: dict[bool, float] = {}
        for metric, sketch, _ in scored:
            kind = _proposals.anew(sketch.plan)
            best[kind] = max(metric, best.get(kind, -math.inf))

        def key(row: Scored) -> tuple[float, float]:
            metric, sketch, _ = row
            return self._hopes.promise(metric, sketch.cost, best=best[_proposals.anew(sketch.plan)], effort=effort)

        return sorted(scored, key=key)

    def _finish(self, sketch: Sketch) -> None:
        """Train a plan in full and measure it with the steps on the graph that make it cheap."""
        first = sketch.plan.then(*sketch.suffixes[0]).name
        if first not in self._known and self._over(1.0, self._estimate(sketch)):
            self._skip(sketch.plan, "the budget was spent")
            return
        found = [self.trial(sketch.plan.then(*suffix)) for suffix in sketch.suffixes[:2]]
        made = [trial for trial in found if trial is not None]
        ran = self._last_rung(sketch)
        if ran is not None and made:
            self._hopes.learn(sketch, before=ran.metric, after=max(trial.metric for trial in made))
        self._packed(made)
        self._repaired(sketch, made)

    def _is_far_off(self, sketch: Sketch) -> bool:
        ran = self._last_rung(sketch)
        return ran is not None and self._hopes.is_far_off(sketch, ran.metric)

    def _last_rung(self, sketch: Sketch) -> Rung | None:
        return next((rung for rung in reversed(self.rungs) if rung.plan == sketch.plan.name), None)

    @cached_property
    def _hopes(self) -> Hopes:
        return Hopes(self.bench, self.trials[0])

    def _packed(self, trials: Sequence[Trial]) -> None:
        """Store the weights of the cheapest plan that keeps its answers in fewer bits."""
        good = [trial for trial in trials if self._near(trial)]
        if good:
            best = min(good, key=lambda trial: trial.ratio)
            for name in _proposals.giving("packed"):
                self.trial(Plan((*best.steps, _plans.step(name))))

    def _repaired(self, sketch: Sketch, trials: Sequence[Trial]) -> None:
        """Where 8 bits lose what the floating-point graph keeps, train with the rounding in sight."""
        lost = [trial for trial in trials if trial.steps[len(sketch.plan.steps) :] and not self._near(trial)]
        for trial in lost[:1]:
            behind = tuple(trial.steps[len(sketch.plan.steps) :])
            for name in _proposals.preparing(behind):
                plan = sketch.plan.then(_plans.step(name), *behind)
                if plan.name in self._known or not self._over(1.0, 0.5 * self._estimate(sketch)):
                    self.trial(plan)

    def _estimate(self, sketch: Sketch) -> float:
        """Seconds that training in full would take, from the last rung."""
        ran = self._last_rung(sketch)
        return ran.seconds / ran.effort if ran else 0.0

    # The contract and the clock ---------------------------------------------------------------------------------

    def _keeps(self, trial: Trial) -> bool:
        return all(clause.kept for clause in _trials.clauses(trial, self.trials[0], self.bench))

    def _near(self, trial: Trial) -> bool:
        """Whether a trial's drop is inside the limit."""
        return _trials.within(trial.drop_bound, self._hopes.limit)

    def _would_win(self, cost: Cost) -> bool:
        """Whether a plan at this cost would be shipped in place of what keeps the contract so far."""
        kept = [trial for trial in self.trials if self._keeps(trial)]
        if not kept:
            return True
        best = min(kept, key=lambda trial: trial.ratio)
        faster = cost.ratio.value <= _CHEAPER * best.ratio
        return faster or (cost.size_mb <= _CHEAPER * best.size_mb and cost.ratio.value <= best.ratio / _CHEAPER)

    def _over(self, share: float, needed: float = 0.0) -> bool:
        """Whether `share` of what the methods on graphs left of the budget is gone, or would be in `needed` seconds."""
        left = max(60 * self.minutes - self._before, 0.0)
        return self._elapsed() + needed > self._before + share * left

    def _quick_took(self) -> float:
        """Seconds that the methods on graphs took, as a killed search wrote down, or as it is now."""
        known = next((row["seconds"] for row in self.journal.read("quick")), None)
        if known is None:
            known = self._elapsed()
            self.journal.write("quick", seconds=known)
        return float(known)

    def _elapsed(self) -> float:
        """Seconds that this search has taken, killed runs included."""
        return float(self._spent + time.monotonic() - self._began)

    def _note_time(self) -> None:
        """Write down the time since the last note, so that a killed search keeps its budget."""
        now = time.monotonic() - self._began
        self.journal.write("spent", spent=now - self._marked)
        self._marked = now


def _used(trial: Trial) -> set[str]:
    return {step["name"] for step in trial.steps}

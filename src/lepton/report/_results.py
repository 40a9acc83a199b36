"""What a run reached, as the page shows it: contract, scores, learning, families, parity, provenance.

Every function gives None (or an empty list) where the run did not come so far.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lepton.report import _charts, _words
from lepton.report._headline import ratios
from lepton.report._told import REFERENCE, Told, missed
from lepton.report.summary import contract as held

View = dict[str, Any]
"""What one section of the page is made from."""


def tiles(told: Told) -> list[View]:
    """The few figures that stand large at the top."""
    found: list[View] = []
    for name, score in list((told.stage("evaluate").get("metrics") or {}).items())[:1]:
        ends = f"{_words.percent(score['low'])} to {_words.percent(score['high'])}"
        found.append({"value": _words.percent(score["value"]), "name": f"test {_words.metric(name)}", "note": ends})
    trial = told.winner
    if trial is None:
        return found
    gains = ratios(told, trial)
    found.append(
        {"value": _words.megabytes(trial["size_mb"]), "name": "size", "note": _than(gains, "smaller", "larger")}
    )
    speed = _than(gains, "faster", "slower")
    found.append({"value": _words.milliseconds(trial["model_p50_ms"]), "name": "the model alone", "note": speed})
    threads = (told.stage("compress").get("contract") or {}).get("latency") or {}
    how = f"p95 {_words.milliseconds(trial['p95_ms'])}, batch {threads.get('batch', 1)}"
    return [*found, {"value": _words.milliseconds(trial["p50_ms"]), "name": "raw input to answer", "note": how}]


def contract(told: Told) -> View | None:
    """The clauses held against what is shipped, or against the candidates that come nearest."""
    found = held(told)
    if found is None:
        return None
    limit = found["drop_limit"] or {}
    return {
        "rows": [_words.clause(clause) for clause in found["clauses"]],
        "kept": found["kept"],
        "standing": found["standing"],
        "plan": _words.plan(found["plan"]),
        "limit": f"{_words.points(limit['value'])}: {limit['origin']}" if limit else "",
        "nearest": [] if found["kept"] else [_near(trial) for trial in told.nearest()],
    }


def scores(told: Told) -> list[View]:
    """Every metric of the test set beside the uncompressed model's and the baselines'."""
    facts = told.stage("evaluate")
    rivals = [(item["name"], item["metrics"], "quiet") for item in facts.get("baselines") or []]
    if facts.get("reference") and (told.winner or {}).get("plan") != REFERENCE:
        rivals.insert(0, (_words.plan(REFERENCE), facts["reference"], "second"))
    if facts.get("open_set"):
        rivals.insert(0, ("this app, if it did not abstain", facts["open_set"]["forced"], "second"))
    everyone = [("this app", facts.get("metrics") or {}, "main"), *rivals]
    return [
        {
            "name": _words.metric(name),
            "lower": _words.lower_is_better(name),
            "rows": [_score(who, metrics[name], mark) for who, metrics, mark in everyone if name in metrics],
        }
        for name in facts.get("metrics") or {}
    ]


def learning(told: Told) -> View | None:
    """Loss and validation metric of each epoch."""
    facts = told.stage("train")
    history: Sequence[Mapping[str, float]] = facts.get("history") or []
    if not history:
        return None
    name = _words.metric(facts.get("metric") or "metric")
    best = max(range(len(history)), key=lambda index: (history[index]["metric"], index))
    losses, metrics = ([(row["epoch"], row[key]) for row in history] for key in ("loss", "metric"))
    of_loss = _charts.line(losses, name="training loss by epoch", axes=("epoch", "training loss"), form=_plain)
    words = f"validation {name}"
    of_metric = _charts.line(metrics, name=f"{words} by epoch", axes=("epoch", words), form=_share, best=best)
    return {
        "charts": [of_loss, of_metric] if len(history) > 1 else [],
        "rows": history,
        "metric": name,
        "best": history[best],
        "said": _trained(told),
    }


def tried(told: Told) -> View | None:
    """The families that were tried, and why one was chosen."""
    facts = told.stage("train")
    rows = facts.get("tried") or []
    if len(rows) < 2:
        return None
    best = max((row["metric"] for row in rows if row["metric"] is not None), default=None)
    shown = [_family(row, chosen=row["metric"] is not None and row["metric"] == best) for row in rows]
    return {"rows": shown, "why": facts.get("why") or "", "metric": _words.metric(facts.get("metric") or "score")}


def parity(told: Told) -> list[View]:
    """What changed from each form of the model to the next."""
    return [
        {
            **step,
            "before": _words.plan(step["before"]),
            "after": _words.plan(step["after"]),
            "largest": f"{step['largest']:.2g}",
        }
        for step in told.stage("package").get("parity") or []
    ]


def provenance(told: Told) -> View:
    """Where everything comes from: seed, licences, machine, versions, artifacts, and the resolved recipe."""
    began = told.events.get("run", {})
    machine = began.get("machine") or {}
    made = told.stage("package").get("app") or {}
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(began["time"])) if "time" in began else ""
    known = {
        "run begun": when,
        "seed": told.app.get("seed"),
        "licence": told.app.get("license"),
        "licence of the data": told.app.get("data_license"),
        "processor": machine.get("processor"),
        "cores": machine.get("cores"),
        "instructions": ", ".join(machine.get("instructions") or []),
        "system": machine.get("system"),
        "Python": machine.get("python"),
        "app id": made.get("id"),
    }
    return {
        "facts": {name: value for name, value in known.items() if value not in (None, "")},
        "stages": [{**event, "seconds": _words.seconds(event.get("seconds") or 0)} for event in told.done],
        "versions": told.done[-1].get("versions", {}) if told.done else {},
        "files": made.get("files") or {},
        "recipe": recipe(told.recipe),
    }


def recipe(table: Mapping[str, Any]) -> str:
    """The resolved recipe as TOML, what was left open left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(table))


def _near(trial: Mapping[str, Any]) -> View:
    return {"plan": _words.plan(trial["plan"]), "missed": [_words.clause(clause) for clause in missed(trial)]}


def _than(gains: Mapping[str, Mapping[str, float]], more: str, less: str) -> str:
    said = [f"{_words.gain(gain[more], more, less)} than {base}" for base, gain in gains.items() if more in gain]
    return ", ".join(said)


def _score(who: str, score: Mapping[str, float], mark: str) -> View:
    words = _words.interval(score)
    ends = score.get("low"), score.get("high")
    return {
        "who": who,
        "mark": mark,
        "words": words,
        "bar": _charts.bar(score["value"], *ends, mark=mark, name=f"{who}: {words}"),
    }


def _family(row: Mapping[str, Any], *, chosen: bool) -> View:
    reached = "not tried" if row["metric"] is None else _words.percent(row["metric"])
    took = _words.seconds(row["seconds"]) if row["seconds"] else ""
    full = (
        _charts.bar(row["metric"], None, None, mark="main" if chosen else "quiet", name=reached)
        if row["metric"] is not None
        else ""
    )
    return {
        "name": row["name"],
        "metric": reached,
        "took": took,
        "note": row.get("note", ""),
        "bar": full,
        "chosen": chosen,
    }


def _trained(told: Told) -> str:
    facts = told.stage("train")
    count = f"{facts['parameters']:,} weights" if facts.get("parameters") else ""
    took = f"trained in {_words.seconds(facts['seconds'])}" if facts.get("seconds") else ""
    transform = f"inputs through {facts['transform']['name']}" if facts.get("transform") else ""
    adapted = _adapted(facts.get("adapt") or {})
    return ", ".join(filter(None, [_words.model(facts.get("model") or {}), count, transform, took, adapted]))


def _adapted(facts: Mapping[str, Any]) -> str:
    """What was trained of a network that knew something before, and what merging changed."""
    name = (facts.get("method") or {}).get("name", "full")
    if name == "full":
        return "from weights that were there before" if facts.get("start") else ""
    said = (
        f"adapted by {name}: {100 * facts['share']:.2g} % of the weights and the head ({facts['head']:,}) were trained"
    )
    merging = facts.get("merging")
    return f"{said}, and merging moved no logit by more than {merging['largest_change']:.1g}" if merging else said


def _without_none(value: Any) -> Any:
    """TOML has no null: what is None was left open."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _plain(value: float) -> str:
    return f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.4g} %"

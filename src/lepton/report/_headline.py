"""The first line of a report: what was made and how good it is, or why nothing was."""

from collections.abc import Mapping
from typing import Any

from lepton.report import _words
from lepton.report._told import REFERENCE, TORCH, Told, missed


def headline(told: Told) -> str:
    """One or two sentences. A refusal, or a baseline that is better, is said first."""
    if told.status == "refused":
        return _refused(told)
    if told.stage("evaluate"):
        return " ".join(filter(None, [_beaten(told), _made(told)]))
    return _unfinished(told)


def ratios(told: Told, trial: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """How many times smaller and faster a trial is than fp32 PyTorch and fp32 ONNX, where these were measured."""
    found: dict[str, dict[str, float]] = {}
    torch, reference = told.stage("compress").get("torch"), told.trial(REFERENCE)
    if torch:
        found[TORCH] = _against(torch, trial)
    if reference:
        faster = 1 / trial["ratio"] if trial.get("ratio") else reference["model_p50_ms"] / trial["model_p50_ms"]
        found["fp32 ONNX"] = {**_against(reference, trial), "faster": faster}
    return found


def _against(base: Mapping[str, Any], trial: Mapping[str, Any]) -> dict[str, float]:
    size, time = max(trial["size_mb"], 1e-9), max(trial["model_p50_ms"], 1e-9)
    found = {"smaller": (base.get("size_mb"), size), "faster": (base.get("model_p50_ms"), time)}
    return {name: first / second for name, (first, second) in found.items() if first is not None}


def _made(told: Told) -> str:
    name, score = _first_score(told.stage("evaluate"))
    model = _words.model(told.stage("train").get("model") or {})
    ends = f"{_words.percent(score['low'])} to {_words.percent(score['high'])}"
    reached = f"{_words.percent(score['value'])} {_words.metric(name)} (95 % interval {ends})"
    count = told.stage("evaluate").get("n", 0)
    return f"{told.app.get('name', 'The app')}: {model} with {reached} on {count:,} test records{_price(told)}."


def _price(told: Told) -> str:
    """What is shipped and how it compares, or nothing where that was not measured."""
    trial = told.winner
    if trial is None:
        return ""
    if trial["plan"] == REFERENCE:
        kept = any(not any(missed(other)) for other in told.trials if other["plan"] != REFERENCE)
        why = "" if kept else ", since nothing smaller kept the contract"
        return f", shipped as the fp32 ONNX model itself{why}{_comparison(told, trial)}"
    return f", shipped as {_words.short_plan(trial['plan'])}{_comparison(told, trial)}"


def _comparison(told: Told, trial: Mapping[str, Any]) -> str:
    said = []
    for base, gains in ratios(told, trial).items():
        if base == "fp32 ONNX" and trial["plan"] == REFERENCE:
            continue
        said.append(f"{_gains(gains)} than {base}")
    return ": " + ", ".join(said) if said else ""


def _gains(gains: Mapping[str, float]) -> str:
    words = {"smaller": ("smaller", "larger"), "faster": ("faster", "slower")}
    return " and ".join(_words.gain(value, *words[name]) for name, value in gains.items())


def _beaten(told: Told) -> str:
    facts = told.stage("evaluate")
    rival = next((item for item in facts.get("baselines") or [] if item["name"] == facts.get("beaten")), None)
    if rival is None:
        return ""
    name, mine = _first_score(facts)
    forced = (facts.get("open_set") or {}).get("forced")
    mine, unless = (forced[name], ", if it did not abstain") if forced else (mine, "")
    scores = f"{_words.percent(rival['metrics'][name]['value'])} against {_words.percent(mine['value'])}"
    return f"The baseline “{rival['name']}” is better than this model{unless}: {scores} {_words.metric(name)}."


def _refused(told: Told) -> str:
    said = [_nearly(trial) for trial in told.nearest(2)]
    nearest = f" Nearest: {'; '.join(said)}." if said else ""
    return f"{told.app.get('name', 'This run')}: nothing was shipped, since no candidate keeps the contract.{nearest}"


def _nearly(trial: Mapping[str, Any]) -> str:
    """What a candidate misses, with figures where that is one clause."""
    clauses = [_words.clause(clause) for clause in missed(trial)]
    names = [clause["name"].split(" (")[0] for clause in clauses]
    figures = f": {clauses[0]['measured']}, asked {clauses[0]['asked']}" if len(clauses) == 1 else ""
    return f"{_words.short_plan(trial['plan'])} misses {_words.listed(names)}{figures}"


def _unfinished(told: Told) -> str:
    last = told.done[-1]["stage"] if told.done else "nothing"
    facts = told.stage("train")
    so_far = ""
    if facts.get("validation") is not None:
        score = f"{_words.percent(facts['validation'])} {_words.metric(facts.get('metric', 'score'))}"
        count = facts.get("validation_records")
        so_far = (
            f" So far: {_words.model(facts.get('model') or {})} with {score} on {count or 'the'} validation records."
        )
    name = told.app.get("name", "This run")
    return f"{name} is not finished: the last stage done is {last}. The test set was not looked at.{so_far}"


def _first_score(facts: Mapping[str, Any]) -> tuple[str, Mapping[str, float]]:
    name = next(iter(facts["metrics"]))
    return name, facts["metrics"][name]

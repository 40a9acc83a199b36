"""What was done to labels and splits, as the page shows it, and what that does to the scores.

Every function gives None, "" or an empty list where the run did not come so far, or there is nothing to tell.
"""

from collections.abc import Mapping
from typing import Any

from lepton.report import _words
from lepton.report._told import Told

View = dict[str, Any]
"""What one part of the page is made from."""

_SHOWN = 20
_TEST = "Fisher's test, Holm's correction"


def labels(told: Told) -> list[str]:
    """Sentences on what the labels and the splits of the test set do to its scores."""
    facts = told.stage("evaluate")
    leaks = facts.get("leaks") or {}
    found = [_without(leaks), _without_near(leaks), _raised(leaks.get("raised")), _as_given(facts.get("as_given"))]
    return [sentence for sentence in (*found, _doubtful(facts.get("doubtful") or {})) if sentence]


def corrections(told: Told) -> str:
    """What people corrected, in a sentence."""
    facts = told.stage("prepare").get("corrections")
    if not facts:
        return ""
    counts = _words.listed([f"{count:,} in {split}" for split, count in facts["changed"].items()]) or "none"
    lost = f" {len(facts['lost']):,} do not count, since their content is not there any more." if facts["lost"] else ""
    return f"Labels corrected by people: {counts}; confirmed: {facts['confirmed']:,} ({facts['file']}).{lost}"


def cleaning(told: Told) -> View | None:
    """What cleaning tried, and what it decided."""
    facts = told.stage("prepare").get("clean")
    if not facts:
        return None
    return {
        **facts,
        "rows": [_rule(row, facts.get("kept")) for row in facts.get("tried") or []],
        "metric": _words.metric(facts.get("metric") or "score"),
        "level": f"{100 * facts['tried'][0]['level']:g} %" if facts.get("tried") else "",
        "shown": (facts.get("records") or [])[:_SHOWN],
    }


def weakest(told: Told) -> str:
    """The slices that are significantly weaker than the rest, in a sentence; nothing where no slice was looked at."""
    rows = told.stage("evaluate").get("slices") or []
    weak = [row for row in rows if row.get("weak")]
    if not rows:
        return ""
    if not weak:
        return f"No slice of {len(rows):,} is weaker than the other records beyond chance ({_TEST})."
    named = "; ".join(map(_slice, weak))
    return f"Weaker than the other records beyond chance, of {len(rows):,} slices looked at ({_TEST}): {named}."


def _slice(row: Mapping[str, Any]) -> str:
    rest = "" if row["others"] is None else f", elsewhere {_words.percent(row['others'])}"
    return f"{row['field']}: {row['value']} with {_words.interval(row['metric'])} on {row['n']:,} records{rest}"


def _without(leaks: Mapping[str, Any]) -> str:
    """The first metric without the test records that also stand in train."""
    if not leaks.get("n"):
        return ""
    records = "test record that also stands" if leaks["n"] == 1 else f"{leaks['n']:,} test records that also stand"
    if not leaks["metrics"]:
        return "Every test record also stands in the given train split."
    return f"Without the {records} in the given train split: {_first(leaks['metrics'])}."


def _without_near(leaks: Mapping[str, Any]) -> str:
    near = leaks.get("near") or {}
    if not near.get("n"):
        return ""
    records = "1 test record that is" if near["n"] == 1 else f"{near['n']:,} test records that are"
    score = f": {_first(near['metrics'])}" if near["metrics"] else ", none is left"
    return f"Also without the {records} nearly the same as one in the given train split{score}."


def _raised(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    ends = f"{100 * found['low']:+.2f} to {100 * found['high']:+.2f}"
    return (
        f"The {found['n']:,} leaked training records raise the test score of a quick model ({found['model']}) from "
        f"{_words.percent(found['without'])} to {_words.percent(found['with'])}: "
        f"{100 * found['value']:+.2f} points ({ends})."
    )


def _as_given(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    changed = "1 test label was" if found["n"] == 1 else f"{found['n']:,} test labels were"
    score = _first(found["metrics"])
    return f"{changed} corrected by people, and scores are on the corrected ones. On the labels as given: {score}."


def _doubtful(found: Mapping[str, Any]) -> str:
    if not found.get("n"):
        return ""
    look = "1 test label looks" if found["n"] == 1 else f"{found['n']:,} test labels look"
    return (
        f"{look} wrong to models that did not learn from them; for {found['agreed']:,} this app answers what they "
        "suggest. lepton review puts them before people."
    )


def _first(metrics: Mapping[str, Mapping[str, float]]) -> str:
    name, score = next(iter(metrics.items()))
    return f"{_words.metric(name)} {_words.interval(score)}"


def _rule(row: Mapping[str, Any], kept: str | None) -> View:
    return {
        **row,
        "chosen": row["rule"] == kept,
        "without": _words.percent(row["without"]),
        "with": _words.percent(row["with"]),
        "difference": f"{100 * row['value']:+.2f} ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})",
        "given": f"{100 * row['given']:+.2f}",
    }

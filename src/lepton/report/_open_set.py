"""What no class covers, as the page shows it: what is kept and rejected, and where abstaining failed."""

from collections.abc import Mapping
from typing import Any

from lepton.report import _charts, _words
from lepton.report._media import Media
from lepton.report._told import Told

View = dict[str, Any]
"""What the section is made from."""

_SAID = {
    "rejected": "unknown records rejected",
    "kept": "known records kept",
    "auroc": "known told from unknown, at any threshold (AUROC)",
    "accuracy": "right, of the known that are kept",
}
_TITLES = {"taken": "Unknown ones that were taken for a class", "turned_away": "Known ones that were turned away"}


def open_set(told: Told, media: Media) -> View | None:
    """The section, or None where the app does not abstain."""
    facts = told.stage("evaluate").get("open_set")
    if not facts:
        return None
    place = told.place("evaluate")
    examples = [
        (title, [_example(item, media.shown(item, place)) for item in facts.get(key) or []])
        for key, title in _TITLES.items()
    ]
    return {
        "sentence": sentence(facts),
        "how": how(facts, told.stage("evaluate").get("validation") or {}),
        "rows": [_row(name, facts[key]) for key, name in _SAID.items() if facts.get(key)],
        "labels": facts.get("labels") or [],
        "examples": [(title, items) for title, items in examples if items],
    }


def sentence(facts: Mapping[str, Any]) -> str:
    """What is kept and what is rejected, in one sentence."""
    said = [f"{_words.interval(facts['kept'])} of {facts['known']:,} known records are kept"] if facts["kept"] else []
    if facts["rejected"]:
        said.append(f"{_words.interval(facts['rejected'])} of {facts['unknown']:,} that no class covers are rejected")
    return f'It answers "{facts["label"]}" where no class fits: on the test set {" and ".join(said)}.'


def how(facts: Mapping[str, Any], validation: Mapping[str, Any]) -> str:
    """How the threshold was chosen, in a sentence or two."""
    areas = validation.get("auroc") or {}
    others = ", ".join(f"{name} {area:.3f}" for name, area in areas.items())
    share = _words.percent(facts["keep"])
    by = f"on {validation.get('n', 0):,} known validation records, so that {share} of new ones stay"
    told = f" AUROC of each score on validation records, {validation.get('unknown', 0):,} of them unknown: {others}."
    return f"The threshold on the {facts['score']} was set {by}.{told if areas else ''}"


def _row(name: str, score: Mapping[str, float]) -> View:
    words = _words.interval(score)
    bar = _charts.bar(score["value"], score["low"], score["high"], mark="main", name=f"{name}: {words}")
    return {"who": name, "words": words, "bar": bar}


def _example(item: Mapping[str, Any], shown: View) -> View:
    first, *others = item["answer"]
    then = ", ".join(f"{other['label']} ({_words.percent(other['score'])})" for other in others[:2])
    return {
        **shown,
        "answered": first["label"],
        "score": _words.percent(first["score"]),
        "given": item["given"],
        "others": then,
    }

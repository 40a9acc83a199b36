"""The data and the answers, as the page shows them: counts, findings, examples, confusion, classes, mistakes, slices.

Every function gives None (or an empty list) where the run did not come so far.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lepton.report import _charts, _media, _words
from lepton.report._media import Media
from lepton.report._told import Told

View = dict[str, Any]
"""What one section of the page is made from."""

_HEATED = 30  # classes up to which a confusion matrix can be read
_PAIRS = 20
_SUSPECTS = 20
_SPLITS = ("train", "validation", "test")


def data(told: Told, media: Media) -> View | None:
    """Counts, what was found wrong, and examples."""
    facts = told.stage("prepare")
    if not facts:
        return None
    leaks = facts.get("leaks") or {}
    place = told.place("prepare")
    return {
        "records": facts.get("records"),
        "version": facts.get("version"),
        **counts(facts),
        "entities": facts.get("records") != sum(sum(own.values()) for own in (facts.get("counts") or {}).values()),
        "findings": [_finding(item) for item in facts.get("findings") or []],
        "leaked": list(leaks.get("pairs") or []),
        "policy": leaks.get("policy"),
        "notes": facts.get("notes") or [],
        "bad": facts.get("bad") or [],
        "examples": by_label([media.shown(item, place) for item in facts.get("examples") or []]),
        "modality": facts.get("modality"),
    }


def counts(facts: Mapping[str, Any]) -> View:
    """Labels of each class in each split, and their sums."""
    found: Mapping[str, Mapping[str, int]] = facts.get("counts") or {}
    splits = sorted(found, key=lambda split: (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS), split))
    named = list(facts.get("classes") or [])
    others = sorted({name for split in splits for name in found[split]} - set(named))
    rows = [(name, [found[split].get(name, 0) for split in splits]) for name in (*named, *others)]
    most = max((row[1][0] for row in rows if row[1]), default=0) or 1
    bars = {
        name: _charts.bar(own[0] / most, None, None, mark="main", name=f"{name}: {own[0]}") for name, own in rows if own
    }
    return {"splits": splits, "totals": [sum(found[split].values()) for split in splits], "classes": rows, "bars": bars}


def by_label(examples: Sequence[View]) -> list[tuple[str, list[View]]]:
    """Examples in groups of the same label, in their order; texts with entities stay one group."""
    groups: dict[str, list[View]] = {}
    for item in examples:
        groups.setdefault("" if "pieces" in item else str(item["label"]), []).append(item)
    return list(groups.items())


def answers(told: Told) -> View | None:
    """Confusion, the scores of each class, and how far confidence can be trusted."""
    facts = told.stage("evaluate").get("details")
    if not facts:
        return None
    matrix, classes = facts.get("confusion"), list(facts.get("classes") or [])
    decode = told.stage("evaluate").get("decode") or {}
    return {
        "heat": _charts.heat(matrix, classes, name=_spoken(matrix, classes))
        if matrix and len(classes) <= _HEATED
        else "",
        "wide": len(classes) > 12,
        "pairs": confused(matrix, classes) if matrix else [],
        "per_class": [_class(row) for row in sorted(facts.get("per_class") or [], key=lambda row: row["f1"])],
        "reliability": _reliability(facts.get("reliability") or []),
        "operating": {name: _words.percent(value) for name, value in (facts.get("operating") or {}).items()},
        "positive": classes[1] if len(classes) == 2 else "",
        "threshold": decode.get("threshold"),
    }


def confused(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> list[View]:
    """The pairs of classes that are taken for each other most often, the most first; rows are given."""
    found: list[View] = [
        {"given": classes[row], "answered": classes[column], "count": count, "of": sum(line)}
        for row, line in enumerate(matrix)
        for column, count in enumerate(line)
        if row != column and count
    ]
    return sorted(found, key=lambda pair: pair["count"], reverse=True)[:_PAIRS]


def mistakes(told: Told, media: Media) -> list[View]:
    """The wrong answers that were given with most confidence."""
    place = told.place("evaluate")
    return [_mistake(item, media.shown(item, place)) for item in told.stage("evaluate").get("mistakes") or []]


def slices(told: Told) -> list[View]:
    """The first metric of each slice, the weakest first."""
    return [
        {**row, "words": _words.interval(row["metric"]), "bar": _slice_bar(row)}
        for row in told.stage("evaluate").get("slices") or []
    ]


def _finding(item: Mapping[str, Any]) -> View:
    records = list(item.get("records") or [])
    return {
        **item,
        "check": item["check"].replace("_", " "),
        "records": records[:_SUSPECTS],
        "more": len(records) - _SUSPECTS,
    }


def _spoken(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """The confusion matrix in words, for those who do not see it."""
    pairs = [f"{pair['given']} as {pair['answered']} {pair['count']} times" for pair in confused(matrix, classes)[:3]]
    return "confusion matrix; most often confused: " + (", ".join(pairs) or "none")


def _class(row: Mapping[str, Any]) -> View:
    words = {name: _words.percent(row[name]) for name in ("precision", "recall", "f1")}
    bar = _charts.bar(row["f1"], None, None, mark="main", name=words["f1"])
    # Classes of records and types of entities come from two tables, which name their rows differently.
    return {"label": row.get("class", row.get("label")), "support": row["support"], **words, "bar": bar}


def _reliability(rows: Sequence[Mapping[str, Any]]) -> str:
    known = [row for row in rows if row.get("count")]
    if not known:
        return ""
    places = [(row["score"], row["right"]) for row in known]
    sizes = [int(row["count"]) for row in known]
    return _charts.diagonal(
        places, sizes, name="how often it is right, by how sure it is", axes=("how sure it is", "how often it is right")
    )


def _mistake(item: Mapping[str, Any], shown: View) -> View:
    answer, given = item.get("answer") or [], item.get("given")
    found = {**shown, "score": _words.percent(item.get("score") or 0.0), "given": _media.plain(given)}
    if isinstance(given, str | None):
        return {**found, "answered": answer[0]["label"] if answer else "nothing", "others": _others(answer)}
    text = str(item.get("text", ""))
    answered = _media.pieces(text, _media.spans(answer))
    return {**found, "pieces": _media.pieces(text, _media.spans(given or [])), "answered_pieces": answered}


def _others(answer: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{item['label']} ({_words.percent(item['score'])})" for item in answer[1:3])


def _slice_bar(row: Mapping[str, Any]) -> str:
    score = row["metric"]
    return _charts.bar(score["value"], score["low"], score["high"], mark="main", name=_words.interval(score))

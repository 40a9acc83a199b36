"""What compression changed, as the page shows it: the answers that changed, where they lie, and what they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lepton.report import _charts, _media, _words
from lepton.report._charts import Move
from lepton.report._media import Media
from lepton.report._told import REFERENCE, Told

View = dict[str, Any]
"""What one part of the section is made from."""

_CHARTED = 20
_NAMED = 5
_OPEN = 12  # rows up to which a table stands open
_TITLES = {"right_to_wrong": "Right answers that became wrong", "wrong_to_right": "Wrong answers that became right"}


def damage(told: Told, media: Media) -> View | None:
    """The section, or None where the compress stage told nothing of it or the uncompressed model is shipped."""
    facts, winner = told.stage("compress").get("damage"), told.winner
    if not facts or winner is None or winner["plan"] == REFERENCE:
        return None
    rows = sorted(facts.get("classes") or [], key=lambda row: row["change"])
    return {
        "headline": sentence(facts),
        "lost": facts.get("lost") or [],
        "calibration": _calibration(facts.get("calibration")),
        "chart": _chart(rows),
        "shown": f"The {_CHARTED} worst of {len(rows)} classes." if len(rows) > _CHARTED else "",
        "tables": _tables(facts, rows),
        "changed": _changed(facts.get("changed") or [], media, told.place("compress")),
    }


def sentence(facts: Mapping[str, Any]) -> str:
    """How many answers changed and in which direction, and which classes lost significantly, in one sentence."""
    counts: Mapping[str, int] = facts["counts"]
    total = facts["n"] - counts["unchanged"]
    if not total:
        return f"None of {facts['n']:,} answers changed."
    parts = [
        (counts["right_to_wrong"], "right", "became wrong"),
        (counts["wrong_to_right"], "wrong", "became right"),
        (counts["wrong_to_wrong"], "wrong", "became wrong in another way"),
    ]
    ways = [f"{count:,} {kind} one{'s' * (count != 1)} {became}" for count, kind, became in parts if count]
    return f"{total:,} of {facts['n']:,} answers changed: {', '.join(ways)}; {_lost(facts.get('lost') or [])}."


def _lost(labels: Sequence[str]) -> str:
    if not labels:
        return "no class lost significantly"
    more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    what = "one class lost significantly" if len(labels) == 1 else f"{len(labels)} classes lost significantly"
    return f"{what}: {', '.join(labels[:_NAMED])}{more}"


def _calibration(found: Mapping[str, float] | None) -> str:
    if not found:
        return ""
    before, after, refitted = (_words.percent(found[name]) for name in ("before", "after", "refitted"))
    fitted = f"{refitted} with a temperature of {found['temperature']:.3g} in the app"
    return f"The calibration error was {before} before and {after} after compression; it is {fitted}."


def _chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """The classes with the worst changes; nothing where none changed."""
    if not any(row["lost"] or row["won"] for row in rows):
        return ""
    moves = [
        Move(str(row["label"]), row["before"], row["after"], _points(row["change"]), _mark(row))
        for row in rows[:_CHARTED]
    ]
    worst = ", ".join(f"{move.name} {move.remark} points" for move in moves[:3])
    return _charts.dumbbells(moves, name=f"recall before and after compression; worst: {worst}", axis="recall")


def _tables(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[View]:
    """The classes, then slices and groups, each a table."""
    entities = facts.get("calibration") is None
    what = "share of the entities found; lost and won count texts" if entities else "share of the class answered right"
    classes = {"name": "class", "rows": rows, "counted": "entities" if entities else "records", "what": what}
    others = [*(facts.get("slices") or []), *(facts.get("groups") or [])]
    plain = {"counted": "records", "what": "share of the records answered right"}
    return [_table(item) for item in (classes, *({**own, **plain} for own in others)) if item["rows"]]


def _table(item: Mapping[str, Any]) -> View:
    """A table; what the chart shows as well, and what is long or without any change, stands closed."""
    rows = item["rows"]
    is_open = item["name"] != "class" and len(rows) <= _OPEN and any(row["lost"] or row["won"] for row in rows)
    return {**item, "rows": [_row(row) for row in rows], "open": is_open}


def _row(row: Mapping[str, Any]) -> View:
    ends = "" if row["low"] is None else f" ({_points(row['low'])} to {_points(row['high'])})"
    shares = {name: _words.percent(row[name]) for name in ("before", "after")}
    return {**row, **shares, "change": f"{_points(row['change'])}{ends}", "mark": _mark(row)}


def _mark(row: Mapping[str, Any]) -> str:
    """How the page marks a row: lost or won where that is significant."""
    if not row["significant"]:
        return ""
    return "lost" if row["change"] < 0 else "won"


def _points(value: float) -> str:
    """A change in percentage points with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}") if round(100 * value, 1) else "0"


def _changed(items: Sequence[Mapping[str, Any]], media: Media, place: Path | None) -> list[tuple[str, list[View]]]:
    """The changed records by their direction, each with what is needed to show it."""
    groups = {
        title: [_card(item, media.shown(item, place)) for item in items if item["direction"] == direction]
        for direction, title in _TITLES.items()
    }
    return [(title, cards) for title, cards in groups.items() if cards]


def _card(item: Mapping[str, Any], shown: View) -> View:
    given = item.get("given")
    if isinstance(given, str | None):
        return {**shown, "given": _media.plain(given), "before": _top(item["before"]), "after": _top(item["after"])}
    text = str(item.get("text", ""))
    versions = {"given": given or [], "before": item["before"], "after": item["after"]}
    return {**shown, "versions": [(name, _media.pieces(text, _media.spans(own))) for name, own in versions.items()]}


def _top(answer: Sequence[Mapping[str, Any]]) -> str:
    return f"{answer[0]['label']} ({_words.percent(answer[0]['score'])})" if answer else "nothing"

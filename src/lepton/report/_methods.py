"""Which method of adaptation is worth it, as the page shows it: why, a picture of metric and weights, and every row."""

from collections.abc import Mapping
from typing import Any

from lepton.report import _cloud, _words
from lepton.report._cloud import Mark, Side
from lepton.report._told import Told

View = dict[str, Any]
"""What the section is made from."""

Row = Mapping[str, Any]


def methods(told: Told) -> View | None:
    """The section, or None where methods were not compared."""
    facts = told.stage("train").get("methods")
    if not facts:
        return None
    name = _words.metric(told.stage("train").get("metric") or "score")
    tried = [row for row in facts["rows"] if row["metric"] is not None]
    ranked = sorted(tried, key=lambda row: not row["chosen"])  # the others stay as they are, the fewest weights first
    return {
        "why": facts["why"],
        "metric": name,
        "chart": _chart(tried, (name, _words.lower_is_better(told.stage("train").get("metric") or ""))),
        "legend": _cloud.legend(
            [("chosen", "chosen"), ("kept", "cannot be told from the best"), ("missed", "behind the best")]
        ),
        "rows": [_row(row) for row in ranked],
        "left": [{"name": row["name"], "note": row["note"]} for row in facts["rows"] if row["metric"] is None],
        "memory": any(row["peak_mb"] is not None for row in tried),
        "took": _words.seconds(facts["seconds"]),
    }


def _row(row: Row) -> View:
    gap = {key: f"{100 * value:+.1f}" for key, value in row["difference"].items()}
    return {
        "name": row["name"],
        "chosen": row["chosen"],
        "metric": f"{100 * row['metric']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})",
        "difference": "" if row["best"] else f"{gap['value']} ({gap['low']} to {gap['high']})",
        "weights": f"{row['trained']:,}",
        "share": f"{100 * row['share']:.3g} %" if row["trained"] else "",
        "took": _words.seconds(row["seconds"]),
        "memory": "" if row["peak_mb"] is None else f"{row['peak_mb']:,.0f}",
        "size": _words.megabytes(row["bytes"] / 1e6),
        "verdict": _verdict(row),
        "mark": "good" if row["chosen"] else "info" if row["within"] else "bad",
    }


def _verdict(row: Row) -> str:
    told = "best" if row["best"] else "as good" if row["within"] else "behind"
    return f"chosen, {told}" if row["chosen"] else told


def _chart(rows: list[Row], metric: tuple[str, bool]) -> str:
    """The metric of each method with its interval, over the weights that it trains with the head."""
    name, lower = metric
    marks = [
        Mark(
            x=max(1, row["trained"] + row["head"]),
            y=row["metric"],
            kind=_kind(row),
            hint=f"{row['name']}: {_words.interval({'value': row['metric'], **row})}, {row['trained']:,} weights",
            names=[row["name"]],
            must=row["chosen"] or row["best"],
            low=row["low"],
            high=row["high"],
        )
        for row in rows
    ]
    ends = min(row["low"] for row in rows), max(row["high"] for row in rows)
    sides = (
        Side(name="weights trained, with the head", form=_count),
        Side(name=f"validation {name}", form=_share, log=False, more=not lower, ends=ends),
    )
    return _cloud.cloud(marks, sides, name=f"validation {name} of each method, over the weights that it trains")


def _kind(row: Row) -> str:
    return "chosen" if row["chosen"] else "kept" if row["within"] else "missed"


def _count(value: float) -> str:
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.4g}%" if 0 <= value < 1 + 1e-9 else ""

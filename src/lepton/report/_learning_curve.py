"""The learning curve as the page shows it: the metric by the number of records, and what more of them would bring."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lepton.report import _charts, _words
from lepton.report._charts import Axis
from lepton.report._told import Told

View = dict[str, Any]
"""What the section is made from."""

Row = Mapping[str, Any]

_STEPS = 60  # points of the law that are drawn


def curve(told: Told) -> View | None:
    """The section, or None where there is no curve."""
    facts = told.stage("train").get("curve")
    if not facts:
        return None
    known = [row for row in facts["rows"] if row["metric"] is not None]
    return {
        "told": facts["told"],
        "foretold": _foretold(facts, known),
        "metric": _words.metric(facts["metric"]),
        "chart": _chart(known, facts),
        "rows": [_row(row) for row in facts["rows"]],
        "law": _law(facts["law"]),
        "took": _words.seconds(facts["seconds"]),
    }


def _foretold(facts: Mapping[str, Any], known: Sequence[Row]) -> str:
    """How well the law does: what it would have said of the last point without it."""
    found = facts["foretold"]
    if found is None:
        return ""
    said = f"{_words.percent(found['value'])} ({_words.percent(found['low'])} to {_words.percent(found['high'])})"
    fewer, whole = known[-2]["records"], known[-1]["records"]
    came = _words.percent(known[-1]["metric"])
    return f"From {fewer:,} records or fewer the same law would have foretold {said} for {whole:,}; {came} came."


def _row(row: Row) -> View:
    return {
        "share": f"{100 * row['share']:.3g} %",
        "records": f"{row['records']:,}",
        "metric": "" if row["metric"] is None else _interval(row),
        "epochs": row["epochs"],
        "took": _words.seconds(row["seconds"]),
        "note": row["note"],
    }


def _interval(row: Row) -> str:
    return f"{100 * row['metric']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def _law(law: Mapping[str, float] | None) -> str:
    if law is None:
        return ""
    return (
        f"error(n) = {law['scale']:.3g} (n / {law['size']:,.0f})^-{law['power']:.3g} + {law['floor']:.3g}, "
        "a power law with a floor"
    )


def _chart(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Points with their intervals over the number of records, by magnitude, and the law up to twice as many."""
    name = _words.metric(facts["metric"])
    sign = 1 if _words.lower_is_better(facts["metric"]) else -1
    last = rows[-1]["records"]
    law = _drawn(facts["law"], (rows[0]["records"], 2 * last), sign)
    across = Axis(rows[0]["records"] / 1.15, 2.3 * last, _charts.LEFT, _charts.WIDTH - _charts.RIGHT, log=True)
    values = [value for row in rows for value in (row["low"], row["high"])] + [y for _, y in law]
    low, high = min(values), max(values)
    room = 0.06 * max(high - low, 0.01)
    up = Axis(low - room, high + room, _charts.HEIGHT - _charts.BOTTOM, _charts.TOP)
    parts = [
        *_charts.frame((across, up), ("training records", f"validation {name}"), (_count, _share)),
        *_line([point for point in law if point[0] <= last], (across, up), "line"),
        *_line([point for point in law if point[0] >= last], (across, up), "ideal"),
        *(part for row in rows for part in _point(row, (across, up))),
        *_promise(facts, law, (across, up)),
    ]
    return _charts.svg(parts, f"validation {name} by the number of training records")


def _drawn(law: Mapping[str, float] | None, ends: tuple[float, float], sign: int) -> list[tuple[float, float]]:
    """The metric by the law, from the first number of records to the last."""
    if law is None:
        return []
    first, last = ends
    sizes = [first * (last / first) ** (step / _STEPS) for step in range(_STEPS + 1)]
    sizes = sorted({*sizes, law["size"]})
    errors = [law["scale"] * (size / law["size"]) ** -law["power"] + law["floor"] for size in sizes]
    return [(size, error if sign > 0 else 1 - error) for size, error in zip(sizes, errors, strict=True)]


def _line(points: Sequence[tuple[float, float]], axes: tuple[Axis, Axis], mark: str) -> list[str]:
    if not points:
        return []
    places = " ".join(f"{axes[0].place(a):.1f},{axes[1].place(b):.1f}" for a, b in points)
    return [f'<polyline class="{mark}" fill="none" points="{places}"/>']


def _point(row: Row, axes: tuple[Axis, Axis]) -> list[str]:
    x, y = axes[0].place(row["records"]), axes[1].place(row["metric"])
    ends = [axes[1].place(row[end]) for end in ("low", "high")]
    hint = f"{row['records']:,} records: {_words.interval({'value': row['metric'], **row})}"
    bar = f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>'
    return [bar, _charts.circle((x, y), hint, "dot", radius=4)]


def _promise(facts: Mapping[str, Any], law: Sequence[tuple[float, float]], axes: tuple[Axis, Axis]) -> list[str]:
    """What twice the labels would bring, hollow, with its interval; nothing where that cannot be told."""
    twice = facts["twice"]
    if twice is None or not law:
        return []
    size, value = law[-1]
    better = -1 if _words.lower_is_better(facts["metric"]) else 1
    ends = [value + better * (twice[end] - twice["value"]) for end in ("low", "high")]
    x, (first, second) = axes[0].place(size), (axes[1].place(_inside(end, axes[1])) for end in ends)
    bar = f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="{first:.1f}" y2="{second:.1f}"/>'
    return [bar, _charts.circle((x, axes[1].place(value)), facts["told"], "dot missed", radius=4)]


def _inside(value: float, axis: Axis) -> float:
    return min(max(value, axis.low), axis.high)


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 and math.isclose(value, round(value)) else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.4g}%" if 0 <= value < 1 + 1e-9 else ""

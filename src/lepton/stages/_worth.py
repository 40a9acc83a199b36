"""Which of several trained methods is worth it, by their answers to the same validation records.

Of the methods that the validation set cannot tell from the best, the one that trains the fewest weights. Cannot tell:
it lies no more than one standard error behind, which is that of the difference on the same records. The rule is that of
Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees" (1984), section 3.4.3, with the paired error
in place of that of the best score alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lepton.core import plugins
from lepton.metrics import _intervals

Row = Mapping[str, Any]
"""What is told of a method: see `judged`."""


@dataclass(frozen=True)
class Tried:
    """A method's name, the weights that it trains beside the head, and the metric's table of its answers."""

    name: str
    trained: int
    table: np.ndarray


def judged(metric: str, tried: Sequence[Tried], *, seed: int) -> list[dict[str, Any]]:
    """A row for each method.

    `metric` with its 95 % interval (`low`, `high`); `difference` to the best, in the metric's direction, with its 95 %
    interval on the same records and its standard `error`; whether the method is `within` that error of the best; and
    which one is `best` and which one `chosen`.
    """
    module = plugins.load("metrics", metric)
    scored = [_intervals.interval(module, one.table, seed=seed) for one in tried]
    sign = -1 if module.LOWER_IS_BETTER else 1
    best = min(range(len(tried)), key=lambda index: (-sign * scored[index].value, tried[index].trained))
    rows: list[dict[str, Any]] = []
    for index, (one, found) in enumerate(zip(tried, scored, strict=True)):
        pair = tried[best].table, one.table
        value, low, high, _ = _intervals.paired_interval(module, *pair, seed=seed)
        error = _intervals.paired_error(module, *pair, seed=seed)
        difference = {"value": value + 0.0, "low": low, "high": high, "error": error}
        within = -sign * value <= error + 1e-12
        told = {"metric": found.value, "low": found.low, "high": found.high, "difference": difference}
        rows.append({"name": one.name, **told, "within": within, "best": index == best})
    chosen = min(
        (index for index, row in enumerate(rows) if row["within"]),
        key=lambda index: (tried[index].trained, -sign * rows[index]["metric"]),
    )
    return [{**row, "chosen": index == chosen} for index, row in enumerate(rows)]


def why(rows: Sequence[Row], count: int) -> str:
    """The choice in a sentence with its numbers; `rows` have `trained` and `share` too, `count` are the records."""
    chosen, best = (next(row for row in rows if row[key]) for key in ("chosen", "best"))
    reached = f"{100 * chosen['metric']:.1f} %"
    if len(rows) == 1:
        return f"{chosen['name']} is the only method that was tried: {reached} on {count:,} validation records"
    if chosen is best:
        return f"{best['name']} is the best on {count:,} validation records, {reached}, and {_behind(rows, best)}"
    level = sum(row["within"] for row in rows)
    gap = {key: f"{100 * value:+.1f}" for key, value in chosen["difference"].items()}
    apart = f"{gap['value']} points (95 % interval {gap['low']} to {gap['high']}, standard error {gap['error'][1:]})"
    return (
        f"{chosen['name']} trains the fewest weights, {_weights(chosen)}, of the {level} methods that {count:,} "
        f"validation records cannot tell from the best, {best['name']}: {reached} against "
        f"{100 * best['metric']:.1f} %, {apart}"
    )


def _behind(rows: Sequence[Row], best: Row) -> str:
    """How the methods that train fewer weights than the best fare."""
    fewer = [row for row in rows if row["trained"] < best["trained"]]
    if not fewer:
        return "none trains fewer weights"
    return f"none of the {len(fewer)} that train fewer weights than its {_weights(best)} is within a standard error"


def _weights(row: Row) -> str:
    if not row["trained"]:
        return "the head alone"
    return f"{row['trained']:,} beside the head ({100 * row['share']:.3g} %)"

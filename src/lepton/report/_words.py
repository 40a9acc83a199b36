"""Figures in a person's words: percentages, times, sizes and ratios."""

from collections.abc import Mapping
from typing import Any

from lepton.core import plugins

_TIMES = "\N{MULTIPLICATION SIGN}"
_LEVEL = 0.005  # ratios nearer to one than this are called the same


def percent(value: float) -> str:
    """A share as a percentage: one decimal, two near the ends, where the last errors count."""
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    near_an_end = 0 < value < 0.005 or 0.995 < value < 1
    return f"{100 * value:.{2 if near_an_end else 1}f} %"


def interval(score: Mapping[str, float]) -> str:
    """A score with the interval it lies in: "98.6 % (96.8 % to 99.4 %)"."""
    if score.get("low") is None or score.get("high") is None:
        return percent(score["value"])
    return f"{percent(score['value'])} ({percent(score['low'])} to {percent(score['high'])})"


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * value:.2f} points"


def milliseconds(value: float) -> str:
    """A time with three digits that count."""
    return f"{value:.3g} ms" if value < 1000 else f"{value:,.0f} ms"


def megabytes(value: float) -> str:
    """A size in MB (10^6 bytes), in kB below a tenth of one."""
    return f"{value:.3g} MB" if value >= 0.1 else f"{1000 * value:.3g} kB"


def seconds(value: float) -> str:
    """A duration as one person tells another."""
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"


def ratio(value: float) -> str:
    """A ratio such as 3.7×."""
    return f"{value:.2g}{_TIMES}" if value < 10 else f"{value:.0f}{_TIMES}"


def gain(value: float, more: str, less: str) -> str:
    """How many times better `value` says it is: "3.7× smaller", or "1.2× larger" when it is below one."""
    if abs(value - 1) < _LEVEL:
        return f"no {more}"
    return f"{_exact(value)} {more}" if value > 1 else f"{_exact(1 / value)} {less}"


def metric(name: str) -> str:
    """A metric's name as words."""
    return name.replace("_", " ")


def lower_is_better(name: str) -> bool:
    """Whether less of the metric is better; of one that is not installed here it is not known, and taken as not."""
    if name not in plugins.names("metrics"):
        return False
    return bool(plugins.load("metrics", name).LOWER_IS_BETTER)


def clause(found: Mapping[str, Any]) -> dict[str, Any]:
    """A contract's clause in words: its name, what was asked, what was measured, whether it was kept."""
    asked, measured = (_unit(found["name"], found[key]) for key in ("asked", "measured"))
    bound = "at least" if found["name"].startswith("metric") else "at most"
    note = "" if found.get("note") == "the contract" else found.get("note", "")
    return {**found, "asked": f"{bound} {asked}", "measured": measured, "note": note}


def clause_line(found: Mapping[str, Any]) -> str:
    """A clause as one line of plain text."""
    said = clause(found)
    return f"{said['name']}: {said['measured']} ({said['asked']}) {'kept' if said['kept'] else 'NOT KEPT'}"


def model(settings: Mapping[str, Any]) -> str:
    """A model by its family, with its preset or source where it has one."""
    more = settings.get("preset") or settings.get("source")
    return f"{settings.get('name', 'model')} ({more})" if more else str(settings.get("name", "model"))


def plan(name: str) -> str:
    """A plan's name for readers: the reference is the uncompressed ONNX model."""
    return "fp32 ONNX" if name == "onnx" else name


def _exact(value: float) -> str:
    """A ratio a little above one keeps its second decimal, or 1.04 would read as 1."""
    return f"{value:.2f}{_TIMES}" if value < 1.1 else ratio(value)


def _unit(name: str, value: float) -> str:
    units = {"drop": points, "metric": percent, "latency": milliseconds, "size": megabytes, "time": _exact}
    form = next((form for word, form in units.items() if name.startswith(word)), None)
    return form(value) if form else f"{value:.4g}"

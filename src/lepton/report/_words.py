"""Figures in a person's words: percentages, times, sizes and ratios."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lepton.core import plugins

_TIMES = "\N{MULTIPLICATION SIGN}"
_LEVEL = 0.005  # ratios nearer to one than this are called the same

_SAID = {
    "int8_static": "int8",
    "int8_dynamic": "dynamic int8",
    "weights": "packed weights",
    "fuse": "fused graph",
    "distil": "student",
}
"""Words for steps whose names are jargon; every other step is called by its name."""

_ALONE = {"distil": "narrower student"}
"""Words for steps where no family is named."""

_SERVED = " (served)"
_LONG = 48  # letters of a plan's name up to which a sentence can carry it
_ASIDE = re.compile(r" \([^()]*\)")
_STEP = re.compile(r"(\w+)\((.+)\)")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


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
    """A plan's name for readers, step by step; the reference is the uncompressed ONNX model.

    "distil(cnn widths [16] dense [])+int8_static" is "student cnn (widths 16) → int8". A step that is not known keeps
    its own name, and what is no plan stays as it is.
    """
    if name == "onnx":
        return "fp32 ONNX"
    bare = name.removesuffix(_SERVED)
    return " \N{RIGHTWARDS ARROW} ".join(map(_step, _parts(bare, "+"))) + name[len(bare) :]


def short_plan(name: str) -> str:
    """A plan's name for the middle of a sentence: a long one without its settings."""
    said = plan(name)
    return said if len(said) <= _LONG else cut(_ASIDE.sub("", said), 72)


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def cut(text: str, limit: int) -> str:
    """`text` with at most `limit` letters, the last one telling that more followed."""
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _step(text: str) -> str:
    found = _STEP.fullmatch(text)
    name, inner = found.groups() if found else (text, "")
    family, told = _settings(inner)
    said = f"{_SAID.get(name, name)} {family}" if family else _ALONE.get(name, _SAID.get(name, name))
    return f"{said} ({', '.join(told)})" if told else said


def _settings(inner: str) -> tuple[str, list[str]]:
    """The family that stands first, if one does (it has no value, so the words are odd), and what is set."""
    first, *others = _parts(inner, ", ")
    words = _parts(first, " ")
    family = words.pop(0) if len(words) % 2 else ""
    pairs = [*zip(words[::2], words[1::2], strict=True), *(item.partition(" ")[::2] for item in others)]
    return family, [said for key, value in pairs if (said := _setting(key, value))]


def _setting(key: str, value: str) -> str:
    """One setting in words; nothing where it is empty."""
    known = {"[]": "", "None": "", "True": key.replace("_", " "), "False": f"no {key.replace('_', ' ')}"}
    if value in known or key == "preset":
        return known.get(value, value)
    return f"{key.replace('_', ' ')} {'/'.join(_parts(value.strip('[]'), ', '))}"


def _parts(text: str, mark: str) -> list[str]:
    """`text` split at `mark` wherever no bracket is open."""
    found, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth = max(0, depth + _BRACKETS.get(letter, 0))
        if not depth and at >= start and text.startswith(mark, at):
            found.append(text[start:at])
            start = at + len(mark)
    return [*found, text[start:]]


def _exact(value: float) -> str:
    """A ratio a little above one keeps its second decimal, or 1.04 would read as 1."""
    return f"{value:.2f}{_TIMES}" if value < 1.1 else ratio(value)


def _unit(name: str, value: float) -> str:
    units = {"drop": points, "metric": percent, "latency": milliseconds, "size": megabytes, "time": _exact}
    form = next((form for word, form in units.items() if name.startswith(word)), None)
    return form(value) if form else f"{value:.4g}"

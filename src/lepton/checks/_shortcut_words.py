"""The properties by which a class may be told, as numbers and in words."""

from typing import NamedTuple

import numpy as np

from lepton.checks import _picture_traits, _sound_traits, _text_traits
from lepton.checks._telling import Rule, Told


class Number(NamedTuple):
    """A number of a whole record: what it is called, its unit, and how it is made of the columns by their names.

    A `flag` is 1 where it holds and 0 where not. What is told by `look` may be what the class is about.
    """

    name: str
    made: str
    unit: str = ""
    flag: bool = False
    look: bool = False


_OF = {
    "pictures": _picture_traits.NAMES,
    "sounds": _sound_traits.NAMES,
    "texts": _text_traits.NAMES,
}
_PLAIN = {
    "pictures": (
        Number("width", "width", "pixels"),
        Number("height", "height", "pixels"),
        Number("width over height", "width/height"),
        Number("coarseness of the JPEG compression", "coarseness"),
        Number("bytes a pixel in the file", "bytes/pixels", look=True),
        Number("brightness", "brightness", look=True),
        Number("contrast", "contrast", look=True),
        Number("colour", "colour", look=True),
        Number("brightness of the border", "border", look=True),
        Number("unevenness of the border", "evenness", look=True),
        Number("detail", "detail", look=True),
    ),
    "sounds": (
        Number("length", "seconds", "s", look=True),
        Number("sample rate", "rate", "Hz"),
        Number("number of channels", "channels"),
        Number("peak", "peak", look=True),
        Number("loudness", "loudness", "dB", look=True),
        Number("loudness of the quietest moments", "floor", "dB"),
        Number("share of clipped samples", "clipped"),
        Number("quiet before", "before", "s"),
        Number("quiet after", "after", "s"),
        Number("offset", "offset"),
    ),
    "texts": (
        Number("length", "letters", "characters", look=True),
        Number("number of words", "words", look=True),
        Number("share of capitals", "capitals", look=True),
        Number("share of digits", "digits", look=True),
        Number("share of punctuation", "marks", look=True),
        Number("share of characters beyond ASCII", "foreign", look=True),
        Number("punctuation at the end", "ending", flag=True, look=True),
        Number("stray white space", "spaces", flag=True),
        Number("signs of a wrong decoding", "misread"),
    ),
}
_KINDS = {
    "pictures": (
        *(Number(f"the file type {kind}", f"kind={at}", flag=True) for at, kind in enumerate(_picture_traits.KINDS)),
        *(Number(f"the colour mode {mode}", f"mode={at}", flag=True) for at, mode in enumerate(_picture_traits.MODES)),
    ),
    "sounds": (),
    "texts": tuple(
        Number(f"the script {name}", f"script={at}", flag=True) for at, name in enumerate(_text_traits.SCRIPTS)
    ),
}
_ROWS = ("top", "upper half", "middle", "lower half", "bottom")
_COLUMNS = ("left", "left half", "centre", "right half", "right")


def numbers(kind: str, rows: np.ndarray) -> np.ndarray:
    """The numbers (N, K) of whole records, of those that the traits have (N, names)."""
    columns = dict(zip(_OF[kind], rows.astype(np.float32).T, strict=True))
    if kind == "pictures":
        columns["pixels"] = columns["width"] * columns["height"]
    return np.stack([_made(columns, number.made) for number in _all(kind)], axis=1)


def name(kind: str, column: int) -> str:
    """What the number in that column is, with its unit."""
    number = _all(kind)[column]
    return f"{number.name} ({number.unit})" if number.unit else number.name


def of_looks(kind: str, column: int) -> bool:
    """Whether the number in that column may be what the class is about."""
    return _all(kind)[column].look


def property_(kind: str, one: Told) -> str:
    """The property that tells the class, for the middle of a sentence."""
    if one.view == "numbers":
        return _number(_all(kind)[one.rule.column], one.rule)
    if kind == "pictures":
        extreme, cell = divmod(one.rule.column, _picture_traits.FINE**2)
        which = "" if one.view == "colour" else f"{_picture_traits.EXTREMES[extreme]} "
        return f"the {which}colour {_place(cell)}"
    low, high = _sound_traits.edges()[one.rule.column : one.rule.column + 2]
    what = "in the quietest moments " if one.view.startswith("quiet") else ""
    return f"what sounds {what}between {low:.0f} and {high:.0f} Hz"


def _all(kind: str) -> tuple[Number, ...]:
    """All numbers of a kind, those first that are no looks: the first of several as good ones is taken."""
    return tuple(sorted((*_KINDS[kind], *_PLAIN[kind]), key=lambda number: number.look))


def _made(columns: dict[str, np.ndarray], how: str) -> np.ndarray:
    if "=" in how:
        column, value = how.split("=")
        return np.asarray(columns[column] == float(value), np.float32)
    above, _, below = how.partition("/")
    return columns[above] / np.maximum(columns[below], 1) if below else columns[above]


def _number(number: Number, rule: Rule) -> str:
    if number.flag:
        has = float(rule.centre[0]) > 0
        return number.name if has else f"not {number.name}"
    unit = f" {number.unit}" if number.unit else ""
    if rule.way == "near":
        low, high = rule.centre[0] - rule.bound, rule.centre[0] + rule.bound
        between = f"of {low:.4g}" if rule.bound == 0 else f"between {low:.4g} and {high:.4g}"
        return f"{number.name} {between}{unit}"
    bound = rule.bound if rule.way == "low" else -rule.bound
    return f"{number.name} of {bound:.4g}{unit} {'or less' if rule.way == 'low' else 'or more'}"


def _place(cell: int) -> str:
    side = _picture_traits.FINE
    row, column = divmod(cell, side)
    words = f"{_ROWS[row * 5 // side]} {_COLUMNS[column * 5 // side]}"
    return f"at the {words} ({100 * column // side} % from the left, {100 * row // side} % from the top)"

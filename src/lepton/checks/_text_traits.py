"""What a text looks like, whatever it says: its length, its kinds of letters, and whether it was misread."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np

NAMES = (
    "letters",
    "words",
    "capitals",
    "digits",
    "marks",
    "foreign",
    "ending",
    "spaces",
    "script",
    "misread",
    "control",
)
"""The numbers.

How many characters and words; shares of capitals, digits, punctuation and characters beyond ASCII; whether it ends with
punctuation; white space at its ends or doubled; the place in SCRIPTS; signs of a wrong decoding; control characters.
"""

SCRIPTS = (
    "none",
    "Latin",
    "Greek",
    "Cyrillic",
    "Hebrew",
    "Arabic",
    "Devanagari",
    "Thai",
    "Hangul",
    "Han or kana",
    "other",
)

_WORDS = {"LATIN": 1, "GREEK": 2, "CYRILLIC": 3, "HEBREW": 4, "ARABIC": 5, "DEVANAGARI": 6, "THAI": 7, "HANGUL": 8}
_WORDS |= {"CJK": 9, "HIRAGANA": 9, "KATAKANA": 9, "FULLWIDTH": 1}
_LONGEST = 20_000  # characters that are looked at of a longer text
_LETTERS = 100  # by which a script is told
_CAPITAL, _DIGIT, _SPACE, _MARK, _CONTROL = range(1, 6)
_FORMER = re.compile(
    "\u00c3[\u0080-\u00bf]|\u00c2[\u0080-\u00bf]|\u00e2\u20ac|\u00e2\u0080|\u00f0\u0178|\ufffd|\u00ef\u00bb\u00bf|[\u0080-\u009f]"
)
"""UTF-8 read as Latin-1 or Windows-1252, and what decoders put for what they cannot read."""


def _table() -> np.ndarray:
    kinds = np.zeros(128, np.uint8)
    kinds[[ord(letter) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]] = _CAPITAL
    kinds[[ord(letter) for letter in "0123456789"]] = _DIGIT
    kinds[[ord(letter) for letter in " \t\n\r\v\f"]] = _SPACE
    kinds[[ord(letter) for letter in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]] = _MARK
    kinds[[*range(9), *range(14, 32), 127]] = _CONTROL
    return kinds


_KINDS = _table()


class Look(NamedTuple):
    """The numbers."""

    numbers: tuple[float, ...]


def look(text: str) -> Look:
    """How a text looks."""
    part = text[:_LONGEST]
    codes = np.frombuffer(part.encode("ascii", "ignore"), np.uint8)
    counts = np.bincount(_KINDS[codes], minlength=6)
    plain = text.isascii()
    foreign = len(part) - len(codes)
    total = max(len(part), 1)
    stripped = part.strip()
    odd = float(stripped != part or "  " in part)
    ending = float(bool(stripped) and stripped[-1] in ".!?\u3002\uff1f\uff01\u0964\u061f")
    script = 1 if plain and stripped else _script(part)
    misread = 0 if plain else len(_FORMER.findall(part))
    shares = (counts[_CAPITAL] / total, counts[_DIGIT] / total, counts[_MARK] / total, foreign / total)
    return Look((len(text), len(text.split()), *shares, ending, odd, script, misread, counts[_CONTROL]))


def _script(text: str) -> int:
    """The place in SCRIPTS of the script that most of the letters are of, in a sample of them."""
    some = text[:: len(text) // _LETTERS + 1]
    counts = np.bincount([_of(letter) for letter in some], minlength=len(SCRIPTS))
    counts[0] = 0
    return int(counts.argmax()) if counts.any() else 0


@lru_cache(maxsize=20_000)
def _of(letter: str) -> int:
    if not letter.isalpha():
        return 0
    first = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
    return _WORDS.get(first, len(SCRIPTS) - 1)

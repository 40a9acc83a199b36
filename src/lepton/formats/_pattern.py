"""File names that carry fields: `{label}_{speaker}_{index}.wav`."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

from lepton.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: the names of its fields, and how many path parts it speaks of."""

    text: str
    fields: tuple[str, ...]
    parts: int
    regex: re.Pattern[str]

    def match(self, path: str) -> Mapping[str, str] | None:
        """The fields in the end of `path` (parts separated by `/`), or None where it does not fit.

        A pattern whose last part has no dot speaks of the name without its suffix.
        """
        tail = "/".join(path.split("/")[-self.parts :])
        dotted = "." in self.text.rpartition("/")[2]
        found = self.regex.fullmatch(tail if dotted else _without_suffix(tail))
        return found.groupdict() if found else None


def compile_pattern(text: str) -> Pattern:
    """Understand a pattern: `{name}` is a field, `{_}` and `*` pass over something, `/` separates folders.

    A field takes as few characters as possible, or as many as it says (`{child:2}`), and never crosses a `/`; a field
    that stands twice must be equal. Letters between fields are compared whatever their case. Raises UserError.
    """
    pieces = _pieces(text)
    names = [name for _, name, _ in pieces if name not in (None, "_")]
    if not names:
        raise _wrong(text, "It must have at least one field in braces, such as {label}")
    seen: set[str] = set()
    regex = "".join(_literal(literal) + _field(name, width, seen) for literal, name, width in pieces)
    fields = tuple(dict.fromkeys(name for name in names if name))
    return Pattern(text, fields, text.count("/") + 1, re.compile(regex, re.IGNORECASE | re.DOTALL))


def _pieces(text: str) -> list[tuple[str, str | None, str]]:
    """What stands before each field, its name, and the number of its characters where it says one."""
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise _wrong(text, f"Braces must pair up: {error}") from error
    for at, (literal, name, width, conversion) in enumerate(parsed):
        if name is None:
            continue
        if not name.isidentifier() or conversion or width and not re.fullmatch("[1-9][0-9]?", width):
            raise _wrong(text, f"A field is a plain word in braces, and {{{name}}} is not")
        if at and not literal and parsed[at - 1][1] is not None and not width and not parsed[at - 1][2]:
            raise _wrong(text, f"Something must stand between {{{parsed[at - 1][1]}}} and {{{name}}}")
    return [(literal, name, width or "") for literal, name, width, _ in parsed]


def _literal(text: str) -> str:
    return "[^/]*".join(map(re.escape, text.split("*")))


def _field(name: str | None, width: str, seen: set[str]) -> str:
    if name is None:
        return ""
    taken = f"[^/]{{{width}}}" if width else "[^/]+?"
    if name == "_":
        return taken
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>{taken})"


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return f"{folder}{slash}{stem if dot and stem else name}"


def _wrong(text: str, rule: str) -> UserError:
    return UserError(
        "[data.pattern] is wrong", rule=rule, received=repr(text), remedy="For example {label}_{speaker}_{index}.wav"
    )

"""A network's parameters by depth, told by their names, since every family numbers its blocks."""

from collections.abc import Collection, Iterable
from itertools import groupby

Unit = list[str]
"""Names of the parameters of one block."""


def units(names: Iterable[str], head: Collection[str]) -> list[Unit]:
    """The parameters from the inputs to the head: a unit for each block, one for what stands before, the head last.

    A block is what shares a name up to its first number ("body.stages.2"); what has no number, up to the first part of
    the body ("body.recurrent").
    """
    body = [name for name in names if name not in head]
    blocks = [list(group) for _, group in groupby(body, key=_block)]
    first = next((place for place, unit in enumerate(blocks) if _numbered(unit[0])), 0)
    before = [name for unit in blocks[:first] for name in unit]
    return [unit for unit in (before, *blocks[first:], [name for name in names if name in head]) if unit]


def _block(name: str) -> str:
    parts = name.split(".")
    number = next((place for place, part in enumerate(parts) if part.isdigit()), None)
    if number is not None:
        return ".".join(parts[: number + 1])
    return next((part for part in parts if part != "body"), name)


def _numbered(name: str) -> bool:
    return any(part.isdigit() for part in name.split("."))

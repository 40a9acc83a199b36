"""Train, validation and test: given splits win, missing ones are carved from train and never leak.

Stratified by label, or by time, the latest records held out. Records of one group (a speaker, a patient) or of one
cluster (near-duplicates) stay together.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from math import isfinite
from typing import Any

import numpy as np

from lepton.core import plugins, seeds
from lepton.core.errors import UserError
from lepton.core.types import Label, Record
from lepton.formats._text import several, some

_PARTS = ("test", "validation")
_KEYS = (*_PARTS, "group", "time")
_TABLE = "A share is a number between 0 and 1, or a table of fields and their values"

Unit = list[int]
"""Indices of records that must stay together."""


def carve(
    records: Sequence[Record], *, split: Mapping[str, Any], clusters: Mapping[str, Hashable], seed: int
) -> list[Record]:
    """The records in their order, each with its split filled in: train, validation or test.

    `split`: `test` and `validation` are shares in (0, 1) of the records that have no split or stand in train, or a
    table that chooses by fields (`{"speaker": ["theo"]}`); a share for a split that is given is not heeded.
    `group` is a field, or several, whose values never stand on two sides; `label` is the label. `clusters` maps
    record ids to a cluster each; clusters stay on one side too, unless a table of fields parts them. `time` is a field
    of numbers or of dates (ISO 8601): the latest records become test, those before them validation. What stands
    together goes by its latest record, so that train holds nothing later than what is held out begins with.

    Raises UserError for unknown fields, for shares that leave a split empty, for a choice that parts a group, and for
    what is no time.
    """
    check(split)
    splits = [record.split or "train" for record in records]
    given = set(splits)
    for part in _PARTS:
        if isinstance(split.get(part), Mapping):
            _choose(records, splits, (part, split[part]))
    shares = {part: float(split[part]) for part in _PARTS if part not in given and _is_share(split.get(part))}
    keys = _group_keys(records, split.get("group"))
    units = _units(records, splits, (keys, clusters))
    if split.get("time") is None:
        _deal(records, splits, (shares, units, seed))
    else:
        _hold_latest(splits, shares, [(_latest(records, unit, split["time"]), unit) for unit in units])
    _hold_together(splits, keys, given)
    _none_empty(splits, split)
    return [replace(record, split=part) for record, part in zip(records, splits, strict=True)]


def check(split: Mapping[str, Any]) -> None:
    """Raise UserError where `split` is no table of shares, choices and a group."""
    for key in split:
        if key not in _KEYS:
            raise plugins.unknown("key in [data.split]", key, list(_KEYS))
    shares = [split[part] for part in _PARTS if split.get(part) is not None]
    for share in shares:
        if not isinstance(share, Mapping) and not (_is_number(share) and 0 <= share < 1):
            raise UserError("[data.split] is wrong", rule=_TABLE, received=repr(share))
    total = sum(share for share in shares if not isinstance(share, Mapping))
    if total >= 1:
        raise UserError(
            "[data.split] leaves nothing to train on", rule="The shares add up to less than 1", received=total
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and value > 0


def _choose(records: Sequence[Record], splits: list[str], choice: tuple[str, Mapping[str, Any]]) -> None:
    """Put the records whose fields have the values asked for into a part, in place."""
    part, table = choice
    if part in splits:
        rule = "Fields choose records only where the source has no such split"
        raise UserError(f"The data have a {part} split already", rule=rule, remedy=f"Leave split.{part} out")
    wanted = {name: _values(value) for name, value in table.items()}
    rows = [_values_of(record, list(wanted)) for record in records]
    for at, row in enumerate(rows):
        if splits[at] == "train" and all(cell in wanted[name] for name, cell in zip(wanted, row, strict=True)):
            splits[at] = part
    if not wanted or part not in splits:
        seen = {name: sorted({row[at] for row in rows}) for at, name in enumerate(wanted)}
        rule = "; ".join(f"{name} is one of {some(values, 12)}" for name, values in seen.items())
        raise UserError(f"[data.split.{part}] chooses no record", rule=rule, received=dict(table))


def _values(value: Any) -> set[str]:
    return {str(item) for item in (value if isinstance(value, list | tuple) else [value])}


def _values_of(record: Record, names: Sequence[str]) -> tuple[str, ...]:
    """The record's values of fields; `label` is its label. UserError names the fields that there are."""
    missing = [name for name in names if name != "label" and name not in record.fields]
    if missing:
        known = ["label", *(name for name in record.fields if name != "label")]
        raise plugins.unknown(f"field in [data.split] (record {record.id})", missing[0], known)
    return tuple(str(record.label) if name == "label" else record.fields[name] for name in names)


def _group_keys(records: Sequence[Record], group: Any) -> list[tuple[str, ...]]:
    """A key a record; empty where nothing is grouped."""
    if group is None:
        return []
    names = [group] if isinstance(group, str) else group
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise UserError("[data.split.group] is wrong", rule="It is a field or a list of fields", received=repr(group))
    return [_values_of(record, names) for record in records]


def _units(
    records: Sequence[Record], splits: Sequence[str], ties: tuple[Sequence[tuple[str, ...]], Mapping[str, Hashable]]
) -> list[Unit]:
    """The records to be dealt, in sets that share a group or a cluster, directly or through others."""
    keys, clusters = ties
    free = [at for at, split in enumerate(splits) if split == "train"]
    parent = {at: at for at in free}
    first: dict[Hashable, int] = {}
    for at in free:
        marks: list[Hashable] = [("group", keys[at])] if keys else []
        cluster = clusters.get(records[at].id)
        marks += [("cluster", cluster)] if cluster is not None else []
        for mark in marks:
            parent[_root(parent, at)] = _root(parent, first.setdefault(mark, at))
    units: dict[int, Unit] = defaultdict(list)
    for at in free:
        units[_root(parent, at)].append(at)
    return list(units.values())


def _root(parent: dict[int, int], at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


def _deal(records: Sequence[Record], splits: list[str], what: tuple[Mapping[str, float], Sequence[Unit], int]) -> None:
    """Deal the units out, in place: each goes where its labels are wanted most, the largest first.

    With counts c of a unit and what is still wanted r of a part, putting it there lowers the squared distance from
    what was wanted by 2 c.r - c.c, and c.c is the same for all parts: so the largest c.r wins.
    """
    shares, units, seed = what
    if not shares:
        return
    counts = [Counter(_stratum(records[at].label) for at in unit) for unit in units]
    wanted = _wanted(sum(counts, Counter()), shares)
    order = seeds.generator(seed, "splits").permutation(len(units)).tolist()
    order.sort(key=lambda at: -len(units[at]))
    parts: dict[str, list[int]] = {part: [] for part in wanted}
    for at in order:
        best = max(wanted, key=lambda part: sum(n * wanted[part][label] for label, n in counts[at].items()))
        wanted[best].subtract(counts[at])
        parts[best].append(at)
    _fill_empty(parts)
    for part, members in parts.items():
        for at in members:
            for index in units[at]:
                splits[index] = part


def _hold_latest(splits: list[str], shares: Mapping[str, float], units: Sequence[tuple[float, Unit]]) -> None:
    """Hold the latest units out, in place, test first; those of one moment stay together."""
    total = sum(len(unit) for _, unit in units)
    order = sorted(units, key=lambda item: -item[0])
    moments = [[at for _, unit in group for at in unit] for _, group in groupby(order, key=lambda item: item[0])]
    for part, share in shares.items():
        taken = 0
        while len(moments) > 1 and (not taken or taken + len(moments[0]) / 2 <= share * total):
            for index in moments[0]:
                splits[index] = part
            taken += len(moments.pop(0))


def _latest(records: Sequence[Record], unit: Unit, name: Any) -> float:
    """The time of the latest record of a unit, as a number that grows."""
    if not isinstance(name, str):
        raise UserError("[data.split.time] is wrong", rule="It is a field", received=repr(name))
    return max(_moment(records[at], name) for at in unit)


def _moment(record: Record, name: str) -> float:
    (text,) = _values_of(record, [name])
    with suppress(ValueError):
        return _finite(float(text))
    with suppress(ValueError):
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    rule = "It is a number, or a date such as 2026-01-31 or 2026-01-31T12:00"
    raise UserError(f"The field {name} of {record.id} is no time", rule=rule, received=text)


def _finite(value: float) -> float:
    if not isfinite(value):
        raise ValueError
    return value


def _wanted(totals: Counter[str], shares: Mapping[str, float]) -> dict[str, Counter[str]]:
    """How many of each label each part wants; whole numbers that add up to the share of the whole."""
    wanted = {part: _quota(totals, share) for part, share in shares.items()}
    rest = Counter({label: n - sum(part[label] for part in wanted.values()) for label, n in totals.items()})
    return {"train": rest, **wanted}


def _quota(totals: Counter[str], share: float) -> Counter[str]:
    """`share` of each label, rounded by largest remainders so that the sum is the rounded share of all."""
    labels = sorted(totals)
    exact = np.array([totals[label] * share for label in labels])
    whole = np.floor(exact)
    short = round(sum(totals.values()) * share - whole.sum())
    # Ties go to the more frequent label, which can spare a record best.
    order = sorted(range(len(labels)), key=lambda at: (whole[at] - exact[at], -totals[labels[at]]))
    whole[order[:short]] += 1
    return Counter(dict(zip(labels, whole.astype(int).tolist(), strict=True)))


def _fill_empty(parts: dict[str, list[int]]) -> None:
    """A part that got nothing takes the smallest unit of train, as long as train keeps one."""
    for members in parts.values():
        if not members and len(parts["train"]) > 1:
            members.append(parts["train"].pop())


def _hold_together(splits: Sequence[str], keys: Sequence[tuple[str, ...]], given: set[str]) -> None:
    """A group that a table of fields parted is refused; what the source itself gave as splits is not."""
    sides: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for key, split in zip(keys, splits, strict=bool(keys)):
        if split == "train" or split not in given:
            sides[key].add(split)
    parted = [key for key, found in sides.items() if len(found) > 1]
    if parted:
        raise UserError(
            f"[data.split] puts {several(len(parted), 'group')} on two sides",
            rule="Records of one group stay together",
            received=some(["/".join(key) for key in parted]),
            remedy="Choose by the group's own fields, or leave the group out",
        )


def _none_empty(splits: Sequence[str], split: Mapping[str, Any]) -> None:
    asked = [part for part in _PARTS if isinstance(split.get(part), Mapping) or _is_share(split.get(part))]
    for part in ("train", *asked):
        if part not in splits:
            groups = " or too few groups" if split.get("group") else ""
            rule = f"There are too few records{groups} for these shares"
            raise UserError(f"The {part} split would be empty", rule=rule, received=dict(split))


def _stratum(label: Label) -> str:
    """What is kept in proportion: the class, or whether a text has any entity."""
    return label if isinstance(label, str) else "entities" if label else "none"

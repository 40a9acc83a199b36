"""The audit of a data set as one HTML file that needs nothing else: the suspects are shown, or can be heard."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lepton.core import files, labels
from lepton.core.types import Record
from lepton.report import _charts, _evidence, _words
from lepton.report._suspects import Card, Shown
from lepton.report.html import template

_GRAVE = {"error": "Errors", "warning": "Warnings", "info": "Remarks"}
_SPLITS = ("train", "validation", "test")
_CARDS = {"error": 30, "warning": 30, "info": 12}
_EXAMPLES = 6  # of what evidence shows
_PAIRS = 15
_ROWS = 300
_WITH_CARDS = 40  # findings; further ones are told without suspects shown
_TWINS = ("exact_duplicates", "near_duplicates", "split_leaks", "conflicting_labels")
"""Checks that are about two records at a time."""

Found = Mapping[str, Any]


class Pair(Protocol):
    """Two records that are alike, by their ids."""

    first: str
    second: str


class Source(NamedTuple):
    """What was audited: what it is called, its records, and which of them are alike."""

    name: str
    records: Sequence[Record]
    near: Sequence[Any] = ()


def write(found: Found, source: Source, folder: str | Path) -> Path:
    """Write `index.html` into `folder` and give its path; `found` is the audit as JSON has it."""
    page = render(found, source).encode("utf-8", "replace").decode()
    files.write_text(Path(folder) / "index.html", page)
    return Path(folder) / "index.html"


def render(found: Found, source: Source) -> str:
    """The page as text; whatever comes from the data is escaped.

    At most 30 suspects of a finding are shown, the most suspect first, and 300 named. Raises MissingExtra where the
    template engine is not installed.
    """
    return str(template("audit.html").render(_view(found, source)))


def _view(found: Found, source: Source) -> dict[str, Any]:
    named = {record["id"] for item in found["findings"] for record in item["records"]}
    known = {record.id: record for record in source.records if record.id in named or source.near}
    make = _Items(Shown(known), _partners(source.near))
    items = [make(item, shown=at < _WITH_CARDS) for at, item in enumerate(found["findings"])]
    counts = Counter(item["severity"] for item in items)
    groups = [(name, _GRAVE[name], [item for item in items if item["severity"] == name]) for name in _GRAVE]
    return {
        "name": source.name,
        "headline": _headline(counts, len(source.records)),
        "mark": "bad" if counts["error"] else "warn" if counts["warning"] else "",
        "tiles": _tiles(found, source.records, counts),
        "data": _glance(source.records),
        "groups": [group for group in groups if group[2]],
        "notes": found["notes"],
        "bad": found["bad"],
    }


def _headline(counts: Mapping[str, int], records: int) -> str:
    said = [_several(counts[kind], word) for kind, word in (("error", "error"), ("warning", "warning")) if counts[kind]]
    if counts["info"]:
        said.append(_several(counts["info"], "remark"))
    return f"{_words.listed(said) or 'Nothing found'} in {_several(records, 'record')}"


def _tiles(found: Found, records: Sequence[Record], counts: Mapping[str, int]) -> list[dict[str, str]]:
    classes = {name for record in records for name in labels.names(record.label)}
    named = {record["id"] for item in found["findings"] for record in item["records"] if item["severity"] != "info"}
    share = _words.percent(len(named) / max(len(records), 1))
    tiles = [("records", f"{len(records):,}", f"{len(found['bad']):,} could not be read" if found["bad"] else "")]
    tiles += [("classes", f"{len(classes):,}", "")] if classes else []
    tiles += [("findings", f"{sum(counts.values()):,}", "")]
    tiles += [("records to look at", f"{len(named):,}", f"{share}, by errors and warnings")]
    return [{"name": name, "value": value, "note": note} for name, value, note in tiles]


def _glance(records: Iterable[Record]) -> dict[str, Any]:
    """Labels of each class in each split, as the page's table has them; no class where nothing is labelled."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        found[record.split or "all"].update(labels.names(record.label))
    splits = sorted(found, key=lambda split: (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS), split))
    names = sorted({name for counts in found.values() for name in counts}, key=_natural)
    most = max((found[splits[0]][name] for name in names), default=1) or 1
    bars = {name: _charts.bar(found[splits[0]][name] / most, None, None, name=name) for name in names}
    rows = [(name, [found[split][name] for split in splits]) for name in names]
    return {"splits": splits, "totals": [found[split].total() for split in splits], "classes": rows, "bars": bars}


def _natural(name: str) -> tuple[bool, int, str]:
    return (False, int(name), name) if name.isdecimal() else (True, 0, name)


@dataclass(frozen=True)
class _Items:
    """Makes what the page shows of findings, from the records as they are shown and which of them are alike."""

    shown: Shown
    partners: Mapping[str, Sequence[str]]

    def __call__(self, item: Found, *, shown: bool) -> dict[str, Any]:
        """A finding for the page; where nothing of it is `shown`, its records are named all the same."""
        records = item["records"]
        twins = item["check"] in _TWINS and bool(self.partners)
        evidence = item.get("evidence") or {}
        most = _EXAMPLES if evidence else _CARDS[item["severity"]]
        cards = [self._suspect(record) for record in records[:most]] if shown and not twins else []
        pairs = self._pairs(records) if shown and twins else []
        return {
            **{key: item[key] for key in ("severity", "message", "remedy")},
            "title": item["check"].replace("_", " "),
            "evidence": _evidence.drawn(evidence, cards[0] if cards else None),
            "proof": evidence.get("kind", ""),
            "of": evidence.get("of"),
            "cards": cards,
            "pairs": pairs,
            "kind": next((one["kind"] for one in (*cards, *sum(pairs, ())) if "kind" in one), ""),
            "count": len(records),
            "rows": records[:_ROWS],
        }

    def _suspect(self, record: Found) -> Card:
        return {**self.shown.card(record["id"]), **{name: record[name] for name in ("score", "given", "suggested")}}

    def _pairs(self, records: Sequence[Found]) -> list[tuple[Card, Card]]:
        """Records beside their like, one that the finding names as well where there is one; each record once."""
        named = {record["id"] for record in records}
        seen: set[str] = set()
        found: list[tuple[Card, Card]] = []
        for record in records:
            like = sorted(self.partners.get(record["id"], ()), key=lambda name: name not in named)
            if like and record["id"] not in seen and len(found) < _PAIRS:
                seen |= {record["id"], like[0]}
                found.append((self._suspect(record), self.shown.card(like[0])))
        return found


def _partners(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        found[pair.first].append(pair.second)
        found[pair.second].append(pair.first)
    return found


def _several(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"

"""Planted leaks: copies in another split that the audit names, and what it names that is none; beside two others.

Usage: python benchmarks/data/planted_leaks.py [NAME ...]

Each change is done to records of its own, and its copies stand in another split than their originals. A copy is
found when a finding on two splits names both and they are of one cluster. What is equal after the change all the same
counts as exact. Alarms are records named, inside or across splits, that are neither copies nor originals; of those,
equal contents and texts that are equal without case, space and punctuation are true duplicates of the data set's own,
and are counted apart, as are `SEEN`. CleanVision gets the same pictures, Datalab the same texts as TF-IDF; neither
hears sound.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from _changes import PICTURES, SOUNDS, TEXTS, Change
from _environments import python
from _table import DATA, RESULTS, keep, markdown

from lepton.checks import _content, _near, exact_duplicates, near_duplicates, split_leaks
from lepton.checks._texts import fold
from lepton.cli._output import Lines
from lepton.core.types import Record
from lepton.formats import _read

MOST = 100  # copies of each kind
TREC = {"train": "sentences/TREC.train.all", "test": "sentences/TREC.test.all"}
SST2 = {"train": "sentences/stsa.binary.train", "test": "sentences/stsa.binary.test"}
SOURCES: dict[str, tuple[dict[str, Any], Mapping[str, Change]]] = {
    "mnist-10k": ({"source": "mnist-10k"}, PICTURES),
    "clothing": ({"source": "clothing"}, PICTURES),
    "pneumonia-mnist": ({"source": "pneumonia-mnist"}, PICTURES),
    "bccd": ({"glob": "bccd/JPEGImages/*.jpg"}, PICTURES),
    "banking77": ({"source": "banking77"}, TEXTS),
    "TREC": ({"source": TREC, "modality": "text"}, TEXTS),
    "SST-2": ({"source": SST2, "modality": "text"}, TEXTS),
    "spoken-digits": ({"source": "spoken-digits", "pattern": "{label}_{speaker}_{index}.wav"}, SOUNDS),
}
SEEN = {f"bccd/JPEGImages/BloodImage_00{number}.jpg" for number in ("037", "038", "386", "391")}
"""Two pairs that were looked at: photos of one place on a slide, in and out of focus, and one a little aside."""

RIVALS = {id(PICTURES): "CleanVision", id(TEXTS): "Datalab"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """A planted record: which change made it, of which record, its own id, and whether their contents are equal."""

    change: str
    original: str
    id: str
    exact: bool


@dataclass(frozen=True)
class Found:
    """What a tool says: the records it names as leaks, all that it names, and the cluster of each it ties to another.

    `seconds` are the processor's.
    """

    leaks: set[str]
    named: set[str]
    clusters: Mapping[str, int]
    seconds: float

    def has(self, copy: Copy) -> bool:
        """Whether the copy and its original are named as leaks and tied together."""
        tied = self.clusters.get(copy.id, -1) == self.clusters.get(copy.original, -2)
        return tied and {copy.id, copy.original} <= self.leaks


def main(names: Sequence[str]) -> None:
    """Measure the data sets named, or all; keep a row for each and tool, and the changes one by one."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    path = RESULTS / "planted_leaks.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": [], "changes": []}
    for name in names or SOURCES:
        rows, changes = measured(name)
        known["rows"] = [row for row in known["rows"] if row["data"] != name] + rows
        known["changes"] = [row for row in known["changes"] if row["data"] != name] + changes
        print(markdown(changes))
        keep("planted_leaks", known["rows"], changes=known["changes"])


def measured(name: str) -> tuple[list[Row], list[Row]]:
    """A row for each tool on one data set, and a row for each change."""
    options, changes = SOURCES[name]
    untouched = _records(options)
    records, copies = _planted(untouched, changes)
    tools = {"Lepton": _ours(records)}
    rival = RIVALS.get(id(changes))
    if rival:
        tools[rival] = _theirs(rival, records)
    by_tool = [{"data": name, "tool": tool, **_told(found, untouched, copies)} for tool, found in tools.items()]
    return by_tool, [{"data": name, **_change(change, copies, tools)} for change in changes]


def _records(options: Mapping[str, Any]) -> list[Record]:
    """The records of a data set; where there are no splits, every fifth stands in test."""
    if "glob" in options:
        paths = sorted(DATA.glob(options["glob"]))
        found = [Record(str(path.relative_to(DATA)), path, None) for path in paths]
    else:
        settings = {"modality": None, "pattern": None, **options}
        found = list(_read.read(settings.pop("source"), base=DATA, **settings).records)
    return [replace(record, split=record.split or ("train", "test")[at % 5 == 0]) for at, record in enumerate(found)]


def _planted(untouched: Sequence[Record], changes: Mapping[str, Change]) -> tuple[list[Record], list[Copy]]:
    """All records and the copies among them; what occurs more than once is not copied."""
    dice = np.random.default_rng(0)
    repeated = {record.id for group in _content.groups(untouched, None) for record in group}
    single = [record for record in untouched if record.id not in repeated]
    count = min(MOST, len(single) // len(changes) // 2)
    chosen = iter([single[at] for at in dice.permutation(len(single))])
    records, copies = list(untouched), []
    for change, make in changes.items():
        for at in range(count):
            original = next(chosen)
            side = "train" if original.split == "test" else "test"
            made = Record(f"{change}#{at}", make(original.read(), dice), original.label, side)
            records.append(made)
            exact = _content.digest(made) == _content.digest(original)
            copies.append(Copy(change, original.id, made.id, exact))
    return records, copies


def _ours(records: Sequence[Record]) -> Found:
    start = time.process_time()
    digests = _content.digests(records, progress=Lines())
    near = _near.pairs(records, digests, progress=Lines())
    across = split_leaks.find(records, digests=digests)
    inside = exact_duplicates.find(records, digests=digests)
    for finding in near_duplicates.find(records, near=near):
        (inside if finding.severity == "info" else across).append(finding)
    leaks, within = ({suspect.id for finding in part for suspect in finding.records} for part in (across, inside))
    return Found(leaks, leaks | within, _near.tied(near), time.process_time() - start)


def _theirs(rival: str, records: Sequence[Record]) -> Found:
    """What a rival finds in an environment of its own: groups of records, told by their numbers."""
    script = Path(__file__).parent / f"rival_{rival.lower()}_near.py"
    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder) / "job", Path(folder) / "out.json"
        job.mkdir()
        _handed_over(records, job)
        subprocess.run([python(script), script, job, out], check=True, stdout=subprocess.DEVNULL)
        told = json.loads(out.read_text(encoding="utf-8"))
    pairs = [_near.Pair(records[first].id, records[other].id, 1.0) for first, *rest in told["groups"] for other in rest]
    clusters = _near.tied(pairs)
    return Found(set(clusters), set(clusters), clusters, told["seconds"])


def _handed_over(records: Sequence[Record], job: Path) -> None:
    """Put the records where a rival reads them: all texts in one file, pictures one by one."""
    raws = [record.read() for record in records]
    texts = [raw for raw in raws if isinstance(raw, str)]
    if texts:
        (job / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    for at, raw in enumerate(raws):
        if isinstance(raw, bytes):
            kind = "png" if raw.startswith(b"\x89PNG") else "jpg"
            (job / f"{at}.{kind}").write_bytes(raw)


def _told(found: Found, untouched: Sequence[Record], copies: Sequence[Copy]) -> Row:
    """The shares found, and how many records are named beside, of which how many are true duplicates."""
    planted = {copy.original for copy in copies}
    clean = [record for record in untouched if record.id not in planted]
    named = {record.id for record in clean if record.id in found.named}
    false = named - _repeated(untouched)
    return {
        "exact": _found([copy for copy in copies if copy.exact], found),
        "near": _found([copy for copy in copies if not copy.exact], found),
        "clean records": len(clean),
        "named": len(named),
        "true": len(named) - len(false),
        "false": len(false),
        "false %": 100 * len(false) / len(clean),
        "processor s": found.seconds,
    }


def _change(change: str, copies: Sequence[Copy], tools: Mapping[str, Found]) -> Row:
    mine = [copy for copy in copies if copy.change == change]
    shares = {tool: f"{tool} {_found(mine, found)}" for tool, found in tools.items()}
    ours, *theirs = shares.values()
    return {"change": change, "exact": sum(copy.exact for copy in mine), "found": ours, "beside": " ".join(theirs)}


def _found(copies: Sequence[Copy], found: Found) -> str:
    """How many of the copies are found, as a share of how many."""
    count = sum(map(found.has, copies))
    return f"{count} of {len(copies)} ({100 * count / max(len(copies), 1):.1f} %)"


def _repeated(records: Iterable[Record]) -> set[str]:
    """Records of equal content, texts that are equal without case, space and punctuation, and `SEEN`."""
    records = list(records)
    same: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if isinstance(record.raw, str):
            same[fold(record.raw)].append(record.id)
    groups = [*same.values(), *([record.id for record in group] for group in _content.groups(records, None))]
    return SEEN | {name for group in groups if len(group) > 1 for name in group}


if __name__ == "__main__":
    main(sys.argv[1:])

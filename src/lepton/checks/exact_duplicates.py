"""Records of one content within one split: equal text after NFC and strip, equal pixels or samples."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lepton.checks import _content
from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import label_text, several
from lepton.core.types import Record

NEEDS = ("digests",)


def find(records: Sequence[Record], *, digests: Mapping[str, str] | None = None) -> list[Finding]:
    """One finding a split that names every record whose content came before it there; the first ones stay unnamed.

    `digests` maps ids to content digests; those it lacks are made. Copies across splits are `split_leaks`.
    """
    copies: dict[str, list[Record]] = defaultdict(list)
    for group in _content.groups(records, digests):
        for record in _after_first(group):
            copies[record.split or ""].append(record)
    return [_finding(split, found) for split, found in copies.items()]


def _after_first(group: Sequence[Record]) -> list[Record]:
    seen: set[str] = set()
    later = []
    for record in group:
        if (record.split or "") in seen:
            later.append(record)
        seen.add(record.split or "")
    return later


def _finding(split: str, copies: Sequence[Record]) -> Finding:
    where = f" in {split}" if split else ""
    repeat = "repeats" if len(copies) == 1 else "repeat"
    return Finding(
        "exact_duplicates",
        "warning",
        f"{several(len(copies), 'record')}{where} {repeat} what another one there holds.",
        "Keep one of each: copies weigh more in training and make scores look surer than they are.",
        [Suspect(record.id, 1.0, label_text(record.label)) for record in copies],
    )

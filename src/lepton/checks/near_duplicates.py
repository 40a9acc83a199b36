"""Records that are almost one: equal text but for case, space and punctuation, or pictures that look the same."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lepton.checks import _content, _near
from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import label_text, several
from lepton.core.types import Record

NEEDS = ("digests",)


def find(records: Sequence[Record], *, digests: Mapping[str, str] | None = None) -> list[Finding]:
    """Findings for clusters that stand in several splits, and for those within one; exact duplicates apart.

    Of a cluster all records but the first are named; across splits all are, those of train first.
    """
    by_id = {record.id: record for record in records}
    known = {**(digests or {})}
    clusters: dict[int, list[Record]] = defaultdict(list)
    for identity, cluster in _near.clusters(records).items():
        clusters[cluster].append(by_id[identity])
    unlike = [members for members in clusters.values() if not _equal(members, known)]
    across = [members for members in unlike if len({record.split for record in members}) > 1]
    within = [members for members in unlike if len({record.split for record in members}) == 1]
    return [*_across(across), *_within(within)]


def _equal(members: Sequence[Record], known: Mapping[str, str]) -> bool:
    return len({known.get(record.id) or _content.digest(record) for record in members}) == 1


def _across(clusters: Sequence[Sequence[Record]]) -> list[Finding]:
    if not clusters:
        return []
    order = {"train": 0, "validation": 1, "test": 2}
    named = sorted((record for members in clusters for record in members), key=lambda r: order.get(r.split or "", 3))
    stand = "stands" if len(clusters) == 1 else "stand"
    message = f"{several(len(clusters), 'cluster')} of near-duplicates {stand} in more than one split."
    remedy = "Keep each cluster on one side: scores on records that train nearly has are too good."
    return [Finding("near_duplicates", "warning", message, remedy, _suspects(named))]


def _within(clusters: Sequence[Sequence[Record]]) -> list[Finding]:
    named = [record for members in clusters for record in members[1:]]
    if not named:
        return []
    are = "is" if len(named) == 1 else "are"
    message = f"{several(len(named), 'record')} {are} almost equal to another in the same split."
    return [
        Finding(
            "near_duplicates",
            "info",
            message,
            "Look at some; keep one of each if they tell nothing new.",
            _suspects(named),
        )
    ]


def _suspects(records: Sequence[Record]) -> list[Suspect]:
    return [Suspect(record.id, 0.5, label_text(record.label)) for record in records]

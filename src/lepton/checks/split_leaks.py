"""Contents of validation or test that also stand in train, so that scores would be too good."""

from collections.abc import Mapping, Sequence

from lepton.checks import _content
from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import label_text, several
from lepton.core.types import Record

NEEDS = ("digests",)

_PAIRS = (("train", "test"), ("train", "validation"), ("validation", "test"))


def find(records: Sequence[Record], *, digests: Mapping[str, str] | None = None) -> list[Finding]:
    """One finding for each pair of splits that share contents. The records to set aside come first.

    Those are the ones in train (or validation, against test), with score 1; their like on the other side follow
    with score 0.5. Equal is equal after NFC and strip, or equal pixels or samples. `digests` as in `exact_duplicates`.
    """
    shared = _content.groups(records, digests)
    return [finding for source, target in _PAIRS for finding in _between(shared, source, target)]


def _between(groups: Sequence[Sequence[Record]], source: str, target: str) -> list[Finding]:
    both = [group for group in groups if {source, target} <= {record.split for record in group}]
    leaking = [record for group in both for record in group if record.split == source]
    leaked = [record for group in both for record in group if record.split == target]
    if not leaked:
        return []
    suspects = [Suspect(record.id, 1.0, label_text(record.label)) for record in leaking]
    suspects += [Suspect(record.id, 0.5, label_text(record.label)) for record in leaked]
    stand = "also stands" if len(leaked) == 1 else "also stand"
    message = (
        f"{several(len(leaked), f'{target} record')} {stand} in {source}, as {several(len(leaking), 'record')} there."
    )
    remedy = f'Set those in {source} aside (data.leaks = "drop"), and compare the scores with and without.'
    return [Finding("split_leaks", "error", message, remedy, suspects)]

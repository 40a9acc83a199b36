"""Records of one content with different labels."""

from collections.abc import Mapping, Sequence

from lepton.checks import _content
from lepton.checks._finding import Finding
from lepton.checks._words import outvoted, several
from lepton.core import labels
from lepton.core.types import Record

NEEDS = ("digests",)
ABOUT = "labels"


def find(records: Sequence[Record], *, digests: Mapping[str, str] | None = None) -> list[Finding]:
    """One finding with all records whose content has several labels, the outvoted first with the usual label suggested.

    A suspect's score is the share of its like that have another label. `digests` as in `exact_duplicates`.
    """
    same = _content.groups(records, digests)
    groups = [group for group in same if len({labels.content(record.label) for record in group}) > 1]
    if not groups:
        return []
    suspects = sorted((suspect for group in groups for suspect in outvoted(group)), key=lambda suspect: -suspect.score)
    cases = several(len(groups), "case")
    message = f"{several(len(suspects), 'record')} share their content with others of another label ({cases})."
    remedy = "Decide on one label for each: no model can learn both."
    return [Finding("conflicting_labels", "error", message, remedy, suspects)]

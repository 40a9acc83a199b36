"""Records that the transform cannot decode: truncated, empty, of another kind, of absurd size."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import label_text, several
from lepton.core.errors import BadInput
from lepton.core.types import Arrays, Raw, Record

NEEDS = ("encoder",)


def find(records: Sequence[Record], *, encoder: Callable[[Raw], Arrays]) -> list[Finding]:
    """One finding a reason, with the records that `encoder` (a transform's) refuses or that cannot be opened."""
    wrong = list(_failures(records, encoder))
    reasons = Counter(reason for _, reason in wrong)
    return [
        Finding(
            "unreadable",
            "error",
            f"{several(count, 'record')} cannot be read: {reason}",
            "Fetch or make them again, or take them out of the data.",
            [Suspect(record.id, 1.0, label_text(record.label)) for record, found in wrong if found == reason],
        )
        for reason, count in reasons.most_common()
    ]


def _failures(records: Sequence[Record], encoder: Callable[[Raw], Arrays]) -> Iterator[tuple[Record, str]]:
    for record in records:
        try:
            encoder(record.read())
        except BadInput as error:
            yield record, error.what
        except OSError as error:
            yield record, error.strerror or "cannot be opened"

"""Records with their corrections applied, and the version of a data set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lepton.core import files
from lepton.core.labels import content
from lepton.core.types import Label, Record
from lepton.mending.corrections import Correction


@dataclass(frozen=True)
class Mended:
    """Records after their corrections.

    `given` has the label that each changed record had, by its id; `judged` the ids of all records that a person
    decided on, changed or confirmed; `lost` the corrections whose content is not among the records.
    """

    records: Sequence[Record]
    given: Mapping[str, Label]
    judged: frozenset[str]
    lost: Sequence[Correction]


def mend(records: Sequence[Record], digests: Mapping[str, str], corrections: Mapping[str, Correction]) -> Mended:
    """Give every record whose content has a correction the label decided on; the others stay as they are.

    `digests` maps record ids to contents, `corrections` contents to what stands (`corrections.standing`).
    """
    judged = {record.id: corrections[digests[record.id]] for record in records if digests[record.id] in corrections}
    given = {record.id: record.label for record in records if _changes(record, judged)}
    changed = [replace(record, label=judged[record.id].label) if record.id in given else record for record in records]
    there = {item.content for item in judged.values()}
    lost = [item for content, item in corrections.items() if content not in there]
    return Mended(changed, given, frozenset(judged), lost)


def version(records: Sequence[Record], digests: Mapping[str, str], corrections: Iterable[Correction] = ()) -> str:
    """The hex sha256 of a data set: the content, label and split of each record, and the corrections that stand.

    It does not depend on the order of records, on where the files of masks lie, on who corrected labels, or when.
    """
    held = sorted(files.canonical([item.id, digests[item.id], content(item.label), item.split]) for item in records)
    decided = sorted(files.canonical([item.content, item.label]) for item in corrections)
    return files.sha256_text("\n".join([*held, "", *decided]))


def _changes(record: Record, judged: Mapping[str, Correction]) -> bool:
    return record.id in judged and judged[record.id].label != record.label

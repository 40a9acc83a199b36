"""What a check gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record a finding names: a score in [0, 1], higher is more suspect; labels as given and suggested."""

    id: str
    score: float = 1.0
    given: str | None = None
    suggested: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found: how grave, a sentence, what to do, and the records, the most suspect first.

    `evidence` is what a report draws to show it, as JSON can say it: its "kind" says how.
    """

    check: str
    severity: Severity
    message: str
    remedy: str
    records: Sequence[Suspect]
    evidence: Mapping[str, Any] | None = None

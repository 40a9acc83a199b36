"""The audit: every check whose needs are met, run on what was read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lepton.checks._finding import Finding
from lepton.core import plugins
from lepton.core.types import Reading, Record

_GRAVEST_FIRST = ("error", "warning", "info")


def findings(records: Sequence[Record], given: Mapping[str, Any]) -> list[Finding]:
    """What the checks find, the gravest first. `given` has what checks may need by name, such as "digests"."""
    checks = [plugins.load("checks", name) for name in plugins.names("checks")]
    able = [check for check in checks if set(check.NEEDS) <= set(given)]
    found = [item for check in able for item in check.find(records, **{name: given[name] for name in check.NEEDS})]
    return sorted(found, key=lambda finding: _GRAVEST_FIRST.index(finding.severity))


def audit(reading: Reading, given: Mapping[str, Any]) -> dict[str, Any]:
    """The audit as JSON: the number of records, notes, records set aside, and the findings."""
    return {
        "records": len(reading.records),
        "notes": list(reading.notes),
        "bad": [asdict(item) for item in reading.bad],
        "findings": [_told(finding) for finding in findings(reading.records, given)],
    }


def _told(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it, without evidence where there is none."""
    told = asdict(finding)
    return told if finding.evidence else {name: value for name, value in told.items() if name != "evidence"}

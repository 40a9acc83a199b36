"""The audit: every check that needs nothing but the records, run on what was read."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lepton.checks._finding import Finding
from lepton.core import plugins
from lepton.core.types import Reading, Record

_GRAVEST_FIRST = ("error", "warning", "info")


def findings(records: Sequence[Record]) -> list[Finding]:
    """What the checks find, the gravest first."""
    checks = (plugins.load("checks", name) for name in plugins.names("checks"))
    found = [finding for check in checks if not check.NEEDS for finding in check.find(records)]
    return sorted(found, key=lambda finding: _GRAVEST_FIRST.index(finding.severity))


def audit(reading: Reading) -> dict[str, Any]:
    """The audit as JSON: the number of records, notes, records set aside, and the findings."""
    return {
        "records": len(reading.records),
        "notes": list(reading.notes),
        "bad": [asdict(item) for item in reading.bad],
        "findings": [asdict(finding) for finding in findings(reading.records)],
    }

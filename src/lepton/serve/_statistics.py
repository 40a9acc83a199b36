"""What Triton's clients ask as statistics, from the counts for Prometheus: all workers' since the start, by app.

Runs that warm an app up count as inferences; `success` and `fail` are requests over every route.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from lepton.serve._infer import VERSION
from lepton.serve._service import Service

_SUMS = {
    "lepton_request_seconds_sum": "seconds",
    "lepton_batch_size_sum": "inferences",
    "lepton_batch_size_count": "executions",
}


def statistics(service: Service, names: Sequence[str]) -> list[dict[str, Any]]:
    """The statistics of the apps `names`, in Triton's form; times are in ns."""
    totals = _totals(service.meters.text().decode())
    return [_of(name, totals[name]) for name in names]


def _of(name: str, totals: Mapping[str, float]) -> dict[str, Any]:
    success = {"count": int(totals["success"]), "ns": int(totals["seconds"] * 1e9)}
    return {
        "name": name,
        "version": VERSION,
        "inference_count": int(totals["inferences"]),
        "execution_count": int(totals["executions"]),
        "inference_stats": {"success": success, "fail": {"count": int(totals["fail"]), "ns": 0}},
    }


def _totals(text: str) -> Mapping[str, Mapping[str, float]]:
    """For every app what was counted, added up."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "lepton_requests_total":
                key = "success" if sample.labels["status"] == "200" else "fail"
                found[sample.labels["app"]][key] += sample.value
            elif sample.name in _SUMS:
                found[sample.labels["app"]][_SUMS[sample.name]] += sample.value
    return found

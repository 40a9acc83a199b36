"""The contract measured again where the app now is: deployment is not where it was built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lepton.bundle.manifest import read
from lepton.core.errors import UserError
from lepton.runtime.app import open_bundle
from lepton.runtime.bench import measure
from lepton.runtime.samples import samples


def measure_again(folder: Path) -> list[dict[str, Any]]:
    """The terms of the app's contract as they stand on this machine.

    Each is `{"term", "found", "most", "kept", "note"}`; `kept` is None for a term that needs labelled data. The
    manifest's `contract["asked"]` has the form of a recipe's `[contract]`. Raises UserError when nothing was asked.
    """
    bundle = read(folder)
    asked = bundle.manifest.contract.get("asked") or {}
    terms: list[dict[str, Any]] = []
    if asked.get("latency"):
        terms += _latency(folder, asked["latency"])
    if asked.get("size_mb") is not None:
        terms.append(_term("size_mb", bundle.size_mb(), asked["size_mb"]))
    if asked.get("metric"):
        terms.append({"term": "metric", "kept": None, "note": "lepton evaluate APP --data PATH measures it"})
    if not terms:
        raise UserError("This app has no contract that can be measured", remedy="Write [contract] in the recipe")
    return terms


def _latency(folder: Path, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    app = open_bundle(read(folder), threads=asked.get("threads") or 1)
    raws, kind = samples(app)
    found = measure(app, raws, batch=asked.get("batch") or 1)
    names = [name for name in ("p50_ms", "p95_ms") if asked.get(name) is not None]
    return [_term(name, found[name], asked[name], f"on {kind} inputs") for name in names]


def _term(name: str, found: float, most: float, note: str = "") -> dict[str, Any]:
    return {"term": name, "found": found, "most": most, "kept": found <= most, "note": note}

"""The contract measured again where the app now is: deployment is not where it was built."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lepton.bundle.manifest import Bundle, read
from lepton.core import machine
from lepton.runtime.app import open_bundle
from lepton.runtime.bench import measure
from lepton.runtime.samples import samples

VNNI = ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp")
"""Instruction sets that add four 8-bit products in 32 bits; without one, x86 adds two in 16 and cuts off the rest."""


def measure_again(folder: Path) -> list[dict[str, Any]]:
    """The terms of the app's contract as they stand on this machine.

    Each is `{"term", "found", "most", "kept", "note"}`; `kept` is None for what the app alone cannot tell: a metric,
    and the standing contract. The manifest's `contract["asked"]` has the form of a recipe's `[contract]`.
    """
    bundle = read(folder)
    asked = bundle.manifest.contract.get("asked") or {}
    terms = [*_latency(bundle, asked.get("latency") or {}), *_size(bundle, asked.get("size_mb"))]
    unmeasured = (
        _OF_METRIC if any((asked.get("metric") or {}).get(name) is not None for name in ("min", "max_drop")) else None
    )
    if not terms and not unmeasured:
        unmeasured = _STANDING
    terms += _abstaining(bundle.manifest.decode.get("abstain"))
    return [*terms, unmeasured] if unmeasured else terms


def warnings(folder: Path) -> list[str]:
    """Why figures of the app in `folder` may not hold on this machine, though nothing of it was changed."""
    steps = read(folder).manifest.provenance.get("steps") or []
    here = machine.fingerprint()["instructions"]
    if not full_range(steps) or set(VNNI) & set(here):
        return []
    return [
        "The app computes in 8 bits, and this processor has none of "
        f"{', '.join(VNNI)}: products can saturate, so its accuracy must be measured again "
        "(lepton evaluate APP --data PATH), or its weights kept to 7 bits (int8_static with reduce_range = true)."
    ]


def full_range(steps: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a plan's steps leave weights in all of 8 bits: they say so by their setting `reduce_range`."""
    return any(step.get("reduce_range") is False for step in steps)


_OF_METRIC = {"term": "metric", "kept": None, "note": "lepton evaluate APP --data PATH measures it"}
_STANDING = {
    "term": "the standing contract",
    "kept": None,
    "note": "it compares with the uncompressed model, which is not in the app",
}


def _abstaining(table: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What an app that abstains was set to keep, which records with labels alone can show."""
    if not table:
        return []
    note = f"it was set to keep {table['keep']:.4g} of the known: lepton evaluate APP --data PATH measures it"
    return [{"term": f"answers {table['label']!r} where no class fits", "kept": None, "note": note}]


def _latency(bundle: Bundle, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [name for name in ("p50_ms", "p95_ms") if asked.get(name) is not None]
    if not names:
        return []
    app = open_bundle(bundle, threads=asked.get("threads") or 1)
    raws, kind = samples(app)
    found = measure(app, raws, batch=asked.get("batch") or 1)
    return [_term(name, (found[name], asked[name]), f"on {kind} inputs") for name in names]


def _size(bundle: Bundle, asked: float | None) -> list[dict[str, Any]]:
    return [] if asked is None else [_term("size_mb", (bundle.size_mb(), asked))]


def _term(name: str, pair: tuple[float, float], note: str = "") -> dict[str, Any]:
    found, most = pair
    return {"term": name, "found": found, "most": most, "kept": found <= most, "note": note}

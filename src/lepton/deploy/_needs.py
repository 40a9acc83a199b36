"""What a replica needs: cores as the contract had them, memory as it is measured here."""

import math
from dataclasses import dataclass

from lepton.bundle.manifest import Bundle
from lepton.runtime.app import open_bundle
from lepton.runtime.bench import measure
from lepton.runtime.samples import samples

_STEP = 64
_SERVER_MB = 64
_UNTOLD_MB = 128
"""Taken for the resident memory where the system does not tell."""
WAITING_MB = 2**28 / 1e6
"""Bodies that a server keeps while they wait, at most."""
_BYTES_PER_PIXEL = 24
"""Decoding the largest pictures took up to 20 bytes a pixel (transparent PNG and 16-bit grey ones)."""
_PIXELS = 64_000_000
"""What apps take whose transform says nothing of it."""
_LARGEST_INPUT_MB = 512
"""The longest recordings and texts that a server takes were decoded in less than 400."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Threads of a graph, MiB that a replica holds, and MiB with all bodies waiting and the largest input decoded."""

    threads: int
    memory: int
    most_memory: int


def needs(bundle: Bundle) -> Needs:
    """Load the app, answer its golden inputs, and look at what that took.

    Raises BadInput where the app cannot answer them.
    """
    app = open_bundle(bundle, threads=threads(bundle))
    raws, _ = samples(app)
    resident = measure(app, raws, seconds=0.0)["resident_mb"]
    memory = _rounded((resident or _UNTOLD_MB) + _SERVER_MB)
    return Needs(app.threads, memory, memory + _rounded(WAITING_MB + _largest_input(bundle, app.modality)))


def threads(bundle: Bundle) -> int:
    """Threads that the contract's latency was asked with."""
    asked = bundle.manifest.contract.get("asked") or {}
    return int((asked.get("latency") or {}).get("threads") or 1)


def speed(bundle: Bundle) -> str:
    """What one replica does, in a sentence, from what was measured when the app was packaged; "" where nothing was."""
    measured = bundle.manifest.contract.get("measured") or {}
    p50, p95 = measured.get("p50_ms"), measured.get("p95_ms")
    if not p50 or not p95:
        return ""
    where = bundle.manifest.machine.get("processor") or "the machine that packaged it"
    return (
        f"On {where} an answer took {p50:.3g} ms at the median and {p95:.3g} ms at the 95th percentile, "
        f"so one core gives about {1000 / p50:,.0f} a second."
    )


def _largest_input(bundle: Bundle, modality: str) -> float:
    """MB that decoding the largest input takes for a moment."""
    if modality != "image":
        return _LARGEST_INPUT_MB
    return float(bundle.manifest.transform.settings.get("max_pixels", _PIXELS)) * _BYTES_PER_PIXEL / 1e6


def _rounded(megabytes: float) -> int:
    """MiB, up to the next step."""
    return _STEP * math.ceil(megabytes * 1e6 / 2**20 / _STEP)

"""Planted shortcuts: a coloured mark on one class's pictures, a hum under one class's recordings; are they found.

Usage: python benchmarks/data/shortcuts.py [NAME ...]

Five or six classes have their turn, spread over all: a row is about so many runs. A shortcut is found when a finding
names its class, and shown when the finding's evidence points at the mark or the hum. Others are classes named that are
named neither in the data as they are nor marked. Datalab's check for spurious correlations gets the same pictures; it
tells no class, so that any property under its threshold counts as found. It hears no sound.
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from _environments import python
from _table import DATA, RESULTS, keep

from lepton.checks import _picture_traits, _sound_traits, shortcuts
from lepton.checks._content import open_image
from lepton.checks._finding import Finding
from lepton.checks._traits import traits
from lepton.core.types import Record
from lepton.formats import _read

SCRIPT = Path(__file__).parent / "rival_datalab_shortcuts.py"
PNG = b"\x89PNG"
TURNS = 5
COLOUR = (220, 30, 60)
HUM = 50.0  # Hz
SOURCES: dict[str, dict[str, Any]] = {
    "mnist-10k, a third": {"source": "mnist-10k", "every": 3},
    "clothing": {"source": "clothing"},
    "pneumonia-mnist": {"source": "pneumonia-mnist"},
    "spoken-digits": {"source": "spoken-digits", "pattern": "{label}_{speaker}_{index}.wav"},
    "spoken-digits, speakers": {"source": "spoken-digits", "pattern": "{digit}_{label}_{index}.wav"},
}

Raw = bytes
Plant = Callable[[Raw], Raw]
Row = dict[str, Any]


def main(names: Sequence[str]) -> None:
    """Measure the data sets named, or all, and keep the table."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    path = RESULTS / "shortcuts.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    for name in names or SOURCES:
        rows = [row for row in rows if row["data"] != name] + measured(name)
        keep("shortcuts", rows)


def measured(name: str) -> list[Row]:
    """A row for the data set as it is, and one for each way to plant a shortcut."""
    options = dict(SOURCES[name])
    every = options.pop("every", 1)
    read = _read.read(base=DATA, **options).records[::every]
    records = [replace(record, raw=_saved(record.read())) for record in read]
    classes = sorted({str(record.label) for record in records})
    classes = classes[:: max(1, len(classes) // TURNS)]
    start = time.perf_counter()
    before = _found(records)
    seconds = time.perf_counter() - start
    sound = "spoken" in name
    clean = {"found": _told(before), "shown": "", "others": "", "s": seconds}
    rows = [{"data": name, "planted": "nothing", **clean, "Datalab": "" if sound else _datalab(records)}]
    for planted, how in (_hums() if sound else _marks(records[0])).items():
        start = time.perf_counter()
        runs = [_run(records, (label, how), before) for label in classes]
        told = {key: f"{sum(run[key] for run in runs)} of {len(runs)}" for key in ("found", "shown")}
        more = {"others": sum(run["others"] for run in runs), "s": (time.perf_counter() - start) / len(runs)}
        first = not sound and len(rows) == 1
        rival = _datalab(_planted(records, classes[len(classes) // 2], how)) if first else ""
        rows.append({"data": name, "planted": planted, **told, **more, "Datalab": rival})
    return rows


def _marks(record: Record) -> Mapping[str, tuple[Plant, float, int]]:
    """Marks of a share of the shorter side, in a corner or beside it, on all or some pictures of the class."""
    small = min(open_image(record.read()).size) < 64
    sizes = (2 / 28, 1 / 28) if small else (0.06, 0.03)
    kinds = {
        "a mark at the top left": (sizes[0], (0, 0), 1.0),
        "the same on 80 % of the class": (sizes[0], (0, 0), 0.8),
        "half as wide, at the lower right": (sizes[1], (0.93, 0.93), 1.0),
    }
    return {name: (_mark(size, at), share, _cell(size, at)) for name, (size, at, share) in kinds.items()}


def _mark(size: float, at: tuple[float, float]) -> Plant:
    def plant(raw: Raw) -> Raw:
        image = open_image(raw)
        side = max(1, round(size * min(image.size)))
        corner = [min(round(share * length), length - side) for share, length in zip(at, image.size, strict=True)]
        image.paste(COLOUR, (*corner, corner[0] + side, corner[1] + side))
        return _picture(image, raw)

    return plant


def _saved(raw: Raw) -> Raw:
    """The record in the form that marked ones have, so that the mark is all that differs."""
    image = open_image(raw)
    return raw if image is None else _picture(image.convert("RGB"), raw)


def _picture(image: Image.Image, like: Raw) -> Raw:
    stream = io.BytesIO()
    image.save(stream, "PNG") if like.startswith(PNG) else image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _cell(size: float, at: tuple[float, float]) -> int:
    across, down = (int((share + size / 2) * _picture_traits.FINE) for share in at)
    return down * _picture_traits.FINE + across


def _hums() -> Mapping[str, tuple[Plant, float, int]]:
    """Hums so many dB below the recording's loudness, under all or some recordings of the class."""
    band = int(np.searchsorted(_sound_traits.edges(), HUM)) - 1
    kinds = {"a hum 20 dB below": (20, 1.0), "a hum 30 dB below": (30, 1.0), "20 dB below 80 %": (20, 0.8)}
    return {name: (_hum(below), share, band) for name, (below, share) in kinds.items()}


def _hum(below: float) -> Plant:
    def plant(raw: Raw) -> Raw:
        samples, rate = soundfile.read(io.BytesIO(raw), dtype="float32")
        level = np.sqrt((samples**2).mean()) * 10 ** (-below / 20) * np.sqrt(2)
        hum = level * np.sin(2 * np.pi * HUM * np.arange(len(samples)) / rate + len(samples))
        stream = io.BytesIO()
        soundfile.write(stream, (samples + hum).clip(-1, 1), rate, format="WAV")
        return stream.getvalue()

    return plant


def _planted(records: Sequence[Record], label: str, how: tuple[Plant, float, int]) -> list[Record]:
    """The records, `how` being done to its share of those of the class, whichever of their splits they are of."""
    plant, share, _ = how
    own = [at for at, record in enumerate(records) if record.label == label]
    chosen = np.random.default_rng(0).permutation(own)[: round(share * len(own))]
    made = {at: replace(records[at], raw=plant(records[at].read())) for at in chosen.tolist()}
    return [made.get(at, record) for at, record in enumerate(records)]


def _found(records: Sequence[Record]) -> list[Finding]:
    return shortcuts.find(records, traits=traits(records))


def _told(found: Sequence[Finding]) -> str:
    """The classes that are named, with how grave that is."""
    return ", ".join(f"{finding.evidence['of']} ({finding.severity})" for finding in found) or "none"


def _run(
    records: Sequence[Record], planted: tuple[str, tuple[Plant, float, int]], before: Sequence[Finding]
) -> dict[str, int]:
    """Whether the class is named, whether the evidence points at the place, and how many others are named anew."""
    label, how = planted
    known = {finding.evidence["of"] for finding in before}
    found = {finding.evidence["of"]: finding.evidence for finding in _found(_planted(records, label, how))}
    shown = label in found and _points(found[label], how[2])
    return {"found": label in found, "shown": shown, "others": len(found.keys() - known - {label})}


def _points(evidence: Mapping[str, Any], place: int) -> bool:
    """Whether the evidence is at the place: its band or the next one, or among the best cells."""
    if evidence["kind"] == "spectrum":
        return abs(evidence["band"] - place) <= 1
    return evidence["kind"] == "map" and int("".join(evidence["rows"])[place]) >= 5


def _datalab(records: Sequence[Record]) -> str:
    """What Datalab finds in an environment of its own: the properties that it calls correlated with the classes."""
    with tempfile.TemporaryDirectory() as folder:
        for at, record in enumerate(records):
            place = Path(folder) / str(record.label)
            place.mkdir(exist_ok=True)
            raw = record.read()
            suffix = ".png" if raw.startswith(PNG) else ".jpg"
            (place / f"{at}{suffix}").write_bytes(raw)
        out = Path(folder) / "out.json"
        subprocess.run([python(SCRIPT), SCRIPT, folder, out], check=True, capture_output=True)
        return ", ".join(json.loads(out.read_text(encoding="utf-8"))["correlated"]) or "none"


if __name__ == "__main__":
    main(sys.argv[1:])

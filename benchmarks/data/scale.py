"""What the audit costs: `lepton audit` on ever more generated sentences and pictures, and how time and memory grow.

Usage: python benchmarks/data/scale.py [texts] [images]

A hundredth of the records are changed copies, which stand in test while their originals stand in train. Each size is
a process of its own. The processor's seconds are what one core would need, whatever else the machine does meanwhile;
memory is the most that was resident. The last row of each kind is the slope of the logarithms: 1 is linear.
"""

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from _changes import PICTURES, TEXTS, Dice
from _table import RESULTS, keep

from lepton.core.types import Raw

SIZES = {"texts": (10_000, 100_000, 1_000_000), "images": (1_000, 10_000, 100_000)}
TASKS = {"texts": "text-classification", "images": "image-classification"}
COPIED = 100  # one record of so many has a copy
WORDS, LENGTH = 20_000, 12  # different words, and words in a sentence
SIDE = 64  # pixels
LABELS = ("a", "b")

Row = dict[str, Any]


def main(kinds: list[str]) -> None:
    """Measure the kinds named, or both; keep a row for each size and one for the slopes."""
    path = RESULTS / "scale.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    for kind in kinds or SIZES:
        found = [_measured(kind, count) for count in SIZES[kind]]
        rows = [row for row in rows if row["data"] != kind] + found + [_slopes(kind, found)]
        keep("scale", rows)


def _measured(kind: str, count: int) -> Row:
    """The audit of `count` generated records."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "out.json"
        copies = (_write_texts if kind == "texts" else _write_images)(data, count)
        command = [sys.executable, "-m", "lepton.cli", "audit", data, "--task", TASKS[kind], "--no-models", "--json"]
        with out.open("wb") as stream:
            told = _run(command, stream)
        findings = json.loads(out.read_text(encoding="utf-8"))["findings"]
    named = {record["id"] for finding in findings for record in finding["records"] if "test" in record["id"]}
    return {"data": kind, "records": count, **told, "copies": copies, "named in test": len(named)}


def _run(command: list[Any], stream: io.BufferedWriter) -> Row:
    """Run it on one thread: how long it took, the processor's seconds, and the most memory that was resident."""
    began, peak, status = time.perf_counter(), 0.0, None
    child = subprocess.Popen(command, stdout=stream, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while status is None:
        # Read again and again, since what `wait4` tells of memory counts this process's own from before.
        peak = max(peak, _peak_mb(child.pid))
        done, code, used = os.wait4(child.pid, os.WNOHANG)
        status = code if done else None
        time.sleep(0.05)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command} ended with {child.returncode}")
    return {"s": time.perf_counter() - began, "processor s": used.ru_utime + used.ru_stime, "peak MB": peak}


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def _slopes(kind: str, rows: list[Row]) -> Row:
    """How time and memory grow with the number of records, and what a record takes of memory."""
    numbers = np.log([row["records"] for row in rows])
    slopes = {
        name: float(np.polyfit(numbers, np.log([row[name] for row in rows]), 1)[0]) for name in list(rows[0])[2:5]
    }
    first, *_, last = rows
    each = 1e6 * (last["peak MB"] - first["peak MB"]) / (last["records"] - first["records"])
    return {"data": kind, "records": f"slope; {each:,.0f} bytes a record", **slopes}


def _write_texts(data: Path, count: int) -> int:
    """`train.csv` and `test.csv` of random words, frequent and rare; gives the number of copies in test."""
    data.mkdir()
    dice = np.random.default_rng(0)
    copies = count // COPIED
    changes = [change for name, change in TEXTS.items() if name != "a copy"]
    test: list[Raw] = []
    with (data / "train.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["text", "label"])
        for at, text in enumerate(_sentences(count - copies, dice)):
            table.writerow([text, LABELS[at % 2]])
            if at % (COPIED - 1) == 0 and len(test) < copies:
                test.append(changes[len(test) % len(changes)](text, dice))
    with (data / "test.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *((text, LABELS[0]) for text in test)])
    return len(test)


def _sentences(count: int, dice: Dice) -> Iterator[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(dice.choice(letters, dice.integers(2, 10))) for _ in range(WORDS)])
    shares = 1 / (np.arange(WORDS) + 10)
    for start in range(0, count, 10_000):
        chosen = dice.choice(WORDS, (min(10_000, count - start), LENGTH), p=shares / shares.sum())
        yield from (" ".join(words[row]) for row in chosen)


def _write_images(data: Path, count: int) -> int:
    """JPEGs in class folders under `train` and `test`; gives the number of copies in test."""
    for split in ("train", "test"):
        for label in LABELS:
            (data / split / label).mkdir(parents=True)
    dice = np.random.default_rng(0)
    changes = [change for name, change in PICTURES.items() if name != "a copy"]
    copies = count // COPIED
    for at in range(count - copies):
        raw = _picture(dice)
        (data / "train" / LABELS[at % 2] / f"{at}.jpg").write_bytes(raw)
        if at < copies:
            made = changes[at % len(changes)](raw, dice)
            kind = "png" if bytes(made).startswith(b"\x89PNG") else "jpg"
            (data / "test" / LABELS[at % 2] / f"{at}.{kind}").write_bytes(bytes(made))
    return copies


def _picture(dice: Dice) -> bytes:
    """A smooth ground with some rectangles on it."""
    ground = Image.fromarray(dice.integers(0, 255, (7, 7, 3), np.uint8))
    made = np.array(ground.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    for left, top, width, height, *colour in dice.integers(0, (SIDE - 10, SIDE - 10, 20, 20, 255, 255, 255), (6, 7)):
        made[top : top + height + 4, left : left + width + 4] = colour
    stream = io.BytesIO()
    Image.fromarray(made).save(stream, "JPEG", quality=90)
    return stream.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])

"""Write the README's tables from what the benchmarks kept: `python benchmarks/readme.py`."""

import json
import re
from pathlib import Path
from typing import Any

from _table import RESULTS, markdown

from lepton.report import _words

_RIVALS = ("ONNX", "NNCF", "OpenVINO")
README = Path(__file__).parents[1] / "README.md"
COLUMNS = (
    "recipe", "metric", "test", "interval", "linear baseline", "shipped", "faster than PyTorch",
    "smaller than ONNX fp32", "MB", "ms p50",
)  # fmt: skip


def main() -> None:
    """Replace what stands between the markers."""
    text = README.read_text(encoding="utf-8")
    between = f"<!-- results -->\n{tables()}\n<!-- /results -->"
    made = re.sub(r"<!-- results -->.*<!-- /results -->", lambda _: between, text, flags=re.DOTALL)
    README.write_text(made, encoding="utf-8")


def tables() -> str:
    """Accuracy of the shipped apps, the loop's overhead, and the base install, each with its machine."""
    accuracy = _read("accuracy")
    rows = [{name: row[name] for name in COLUMNS} for row in accuracy["rows"]]
    place = f"{accuracy['machine']['processor']} ({accuracy['machine']['cores']} cores)"
    words = (
        "Intervals are 95 %; unseen-speakers is the mean of six runs, each on a speaker never heard. Times are of one\n"
        "thread; ratios are of graphs alone, batch 1. Only methods on the trained network's graph were\n"
        "tried; where none was faster, weights were packed or the fp32 graph was shipped. From\n"
        "`benchmarks/accuracy.py`."
    )
    head = f"Test scores of the shipped apps, from raw input to answer, on {place}."
    more = [compression()] if (RESULTS / "compression.json").exists() else []
    more += [_sentence(name) for name in ("training", "base_install") if (RESULTS / f"{name}.json").exists()]
    return "\n\n".join([head, markdown(rows), words, *more])


def compression() -> str:
    """What the search made of each teacher, and what other ways made of it."""
    found = _read("compression")
    names = sorted({row["task"] for row in found["rows"]})
    rows = [_compressed([row for row in found["rows"] if row["task"] == name]) for name in names]
    place = f"{found['machine']['processor']} ({found['machine']['cores']} cores)"
    words = (
        f"The search for the cheapest plan under the standing contract, on {place}: test score of the teacher and of\n"
        "what was shipped, how much smaller than the teacher in PyTorch, and how much faster (graphs alone, batch 1,\n"
        "one thread) than the teacher in fp32 PyTorch and in fp32 ONNX. The last column is the fastest of what others\n"
        "make of the same teacher. The whole table, with int8 alone, models trained directly, p95 and times from raw\n"
        "input to answer, is `benchmarks/results/compression.json`, from `benchmarks/compression/table.py`. Searches\n"
        "had 5 to 6 minutes on a busy machine; where that was over before a smaller network kept the contract, what\n"
        "is shipped is the teacher's own graph."
    )
    return f"{words}\n\n{markdown(rows)}"


def _compressed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One task's line."""
    teacher, winner = rows[0], rows[-1]
    others = [row for row in rows if row.get("faster") and row["what"].split(" ")[0] in _RIVALS]
    best = max(others, key=lambda row: row["faster"], default=None)
    return {
        "task": teacher["task"],
        "teacher": _percent(teacher["test"]),
        "shipped": f"{_percent(winner['test'])} ({100 * winner['low']:.1f} to {100 * winner['high']:.1f})",
        "plan": _words.plan(winner["what"].removeprefix("Lepton: ")),
        "smaller": f"{winner['smaller']:.0f}x",
        "than PyTorch": f"{winner['faster']:.0f}x",
        "than ONNX": f"{winner['faster than ONNX']:.1f}x",
        "others, at most": f"{best['faster']:.1f}x ({best['what']}, {_percent(best['test'])})" if best else "",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _sentence(name: str) -> str:
    first, *others = _read(name)["rows"]
    if name == "training":
        ratios = [f"{first['ratio']:.2f} times that of a bare PyTorch loop"]
        ratios += [f"{row['loop']} {row['ratio']:.2f} times" for row in others if row["loop"].startswith("Keras")]
        scores = ", ".join(f"{row['loop']} {row['accuracy']:.3f}" for row in (first, *others))
        said = f"On one thread, an epoch of the seed's CNN takes {', '.join(ratios)}."
        return f"{said}\nTest accuracy after five epochs: {scores} (`benchmarks/training.py`)."
    size, ready, resident = (first[key] for key in ("environment MB", "ready s (median)", "resident MB"))
    return (
        f"A base install without torch is {size:.0f} MB; `lepton serve` on the digits app is ready in {ready:.2f} s\n"
        f"with {resident:.0f} MB resident (`benchmarks/base_install.py`)."
    )


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()

"""Write the README's tables from what the benchmarks kept: `python benchmarks/readme.py`."""

import json
import re
from pathlib import Path
from typing import Any

from _table import RESULTS, markdown

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
        "thread; ratios are of graphs alone, batch 1. Where int8 was not faster, the fp32 graph was shipped. From\n"
        "`benchmarks/accuracy.py`."
    )
    head = f"Test scores of the shipped apps, from raw input to answer, on {place}."
    more = [_sentence(name) for name in ("training", "base_install") if (RESULTS / f"{name}.json").exists()]
    return "\n\n".join([head, markdown(rows), words, *more])


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

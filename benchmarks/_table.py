"""Tables of what was asked and what was measured, printed and kept with their provenance."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lepton.core import machine

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).parents[2] / "shared" / "data"


def keep(name: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> None:
    """Print `rows` as a Markdown table and keep them in `results/<name>.json` with the machine and the day."""
    print(markdown(rows))
    RESULTS.mkdir(exist_ok=True)
    told = {"machine": machine.fingerprint(), "day": time.strftime("%Y-%m-%d"), **more, "rows": list(rows)}
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table; the first row's keys are the heads."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_cell(row.get(head, "")) for head in heads) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

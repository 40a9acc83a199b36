"""What the page says of how the network was trained."""

from pathlib import Path
from typing import Any

import pytest

from lepton.core.ledger import Ledger
from lepton.report import _results
from lepton.report._told import Told

ROW = {"epoch": 1, "loss": 0.5, "metric": 0.9, "lr": 1e-3, "seconds": 1.0}
LORA = {"method": {"name": "lora"}, "share": 0.0123, "head": 34}


def said(folder: Path, adapt: dict[str, Any]) -> str:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.write("run", recipe={})
    facts = {"history": [ROW], "parameters": 1000, "adapt": adapt}
    ledger.write("stage", stage="train", artifact="train-0", facts=facts, seconds=1.0)
    view = _results.learning(Told.of(folder))
    assert view is not None
    return str(view["said"])


@pytest.mark.parametrize(
    ("adapt", "words"),
    [
        ({}, "1,000 weights"),
        ({"method": {"name": "full"}, "start": {"taken": 3}}, "from weights that were there before"),
        ({**LORA, "merging": {}}, "adapted by lora: 1.2 % of the weights and the head (34) were trained"),
        ({**LORA, "merging": {"largest_change": 2e-6}}, "and merging moved no logit by more than 2e-06"),
    ],
)
def test_it_is_told_what_was_trained(tmp_path: Path, adapt: dict[str, Any], words: str) -> None:
    assert said(tmp_path, adapt).endswith(words)

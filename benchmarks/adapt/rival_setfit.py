# /// script
# dependencies = ["setfit==1.2.0", "torch==2.13.0"]
# ///
"""SetFit on given examples: `python rival_setfit.py ENCODER ASKED.json SECONDS ANSWERED.json`.

ASKED has `train`, pairs of text and label, and `test`, texts. The settings are SetFit's own but for the number of
steps: all pairs of hundreds of sentences would take days on a processor, so as many are drawn as fit into SECONDS of
the processor, by the time that a few steps of another model took. ANSWERED gets `answers`, `seconds` and `steps`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

_TIMED = 6
"""Steps that tell how long one takes."""


def main(encoder: str, asked: Path, rest: tuple[float, Path]) -> None:
    """Train on the examples, answer the test texts, and tell how long it took."""
    torch.set_num_threads(1)
    seconds, answered = rest
    told = json.loads(asked.read_text(encoding="utf-8"))
    _, warm = _trained(encoder, told["train"], 2)
    _, timed = _trained(encoder, told["train"], 2 + _TIMED)
    steps = max(1, round(seconds / max(1e-3, (timed - warm) / _TIMED)))
    model, took = _trained(encoder, told["train"], steps)
    answers = [str(answer) for answer in model.predict(told["test"], show_progress_bar=False)]
    answered.write_text(json.dumps({"answers": answers, "seconds": took, "steps": steps}), encoding="utf-8")


def _trained(encoder: str, examples: list[tuple[str, str]], steps: int) -> tuple[Any, float]:
    names = sorted({label for _, label in examples})
    given = Dataset.from_dict(
        {"text": [text for text, _ in examples], "label": [names.index(label) for _, label in examples]}
    )
    model = SetFitModel.from_pretrained(encoder, labels=names, device="cpu")
    told = {"seed": 0, "show_progress_bar": False, "report_to": "none", "save_strategy": "no"}
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(output_dir=folder, max_steps=steps, **told)
        began = time.process_time()
        Trainer(model=model, args=settings, train_dataset=given).train()
        return model, time.process_time() - began


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), (float(sys.argv[3]), Path(sys.argv[4])))

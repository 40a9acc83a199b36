"""What a user of transformers writes: AutoModelForSequenceClassification, a tokenizer, and Trainer's defaults.

Usage: python plain_trainer.py TEXTS ENCODER EPOCHS SECONDS OUT

TEXTS is JSON, {train: [[text, label], ...], test: ...}; OUT gets the answers to the test texts and the seconds of
processor time that training took. It stops after SECONDS of them, or after EPOCHS. One thread.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


class Clock(TrainerCallback):
    """Stops training when its processor time is spent."""

    def __init__(self, seconds: float) -> None:
        self.end = time.process_time() + seconds

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
        """Ask for a stop after the last moment."""
        control.should_training_stop = control.should_training_stop or time.process_time() > self.end
        return control


def main(arguments: Sequence[str]) -> None:
    """Train, answer, write."""
    source, encoder, epochs, seconds, out = arguments
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = json.loads(Path(source).read_text(encoding="utf-8"))
    names = sorted({label for _, label in data["train"]})
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=len(names))
    rows = {
        split: [{**tokenizer(text, truncation=True), "label": names.index(label)} for text, label in texts]
        for split, texts in data.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        told = TrainingArguments(
            folder,
            num_train_epochs=float(epochs),
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        began = time.process_time()
        trainer = Trainer(
            model,
            told,
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=rows["train"],
            callbacks=[Clock(float(seconds))],
        )
        trainer.train()
        spent = time.process_time() - began
        answers = trainer.predict(rows["test"]).predictions.argmax(axis=1)
    Path(out).write_text(json.dumps({"answers": [names[at] for at in answers], "seconds": spent}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

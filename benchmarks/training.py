"""The loop's own cost: epochs of the seed's CNN on MNIST against a bare PyTorch loop and Keras, in turn.

All three train a 3x3 convolution of 32 channels, ReLU, a 2x2 max pool and a dense layer, batch 32, on one thread: Keras
with Adam, the others with AdamW. Keras runs in an environment of its own, which is made on first use.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _environments import python
from _table import DATA, keep
from torch import nn
from torch.nn import functional

from lepton.core.progress import Silent
from lepton.formats import _read
from lepton.models import cnn
from lepton.models._network import Network, normalisation
from lepton.models._objectives import CLASSES
from lepton.models._shape import Shape
from lepton.training import loop
from lepton.training.data import Samples
from lepton.training.settings import TrainSettings
from lepton.transforms import image

EPOCHS, ROUNDS, TRAINED, THREADS = 5, 3, 8000, 1
KERAS = Path(__file__).parent / "rival_keras.py"

Figures = tuple[float, float]
"""Seconds an epoch (the median), and accuracy on the test digits."""


def main() -> None:
    """Measure all, alternating, and keep the medians and their ratios to the bare loop."""
    torch.set_num_threads(THREADS)
    digits = Digits.read()
    loops: dict[str, Callable[[Digits], Figures]] = {"Lepton": _ours, "bare PyTorch": _bare}
    rival = _keras()
    if rival:
        loops["Keras on PyTorch"] = rival
    rounds = [{name: measure(digits) for name, measure in loops.items()} for _ in range(ROUNDS)]
    keep(
        "training",
        [_row(name, rounds) for name in loops],
        epochs=EPOCHS,
        digits=TRAINED,
        rounds=ROUNDS,
        threads=THREADS,
    )


def _row(name: str, rounds: list[dict[str, Figures]]) -> dict[str, Any]:
    seconds, accuracy = zip(*(found[name] for found in rounds), strict=True)
    ratio = statistics.median(found[name][0] / found["bare PyTorch"][0] for found in rounds)
    return {
        "loop": name,
        "s an epoch": statistics.median(seconds),
        "ratio": ratio,
        "accuracy": statistics.median(accuracy),
    }


@dataclass(frozen=True)
class Digits:
    """Encoded digits, each {"image": uint8 (1, 28, 28)}, and their classes; the last of them are for the test."""

    arrays: list[dict[str, np.ndarray]]
    targets: list[np.ndarray]

    @classmethod
    def read(cls) -> "Digits":
        """MNIST's 10,000 test digits, as the other benchmarks have them."""
        if not DATA.is_dir():
            sys.exit(f"The data sets are not at {DATA}")
        records = _read.read("mnist-10k", base=DATA, modality="image").records
        fitted = image.fit(record.read() for record in records[:100])
        encode = image.encoder(fitted.settings, fitted.files)
        arrays = [dict(encode(record.read())) for record in records]
        return cls(arrays, [np.array(int(str(record.label))) for record in records])

    @property
    def images(self) -> np.ndarray:
        """All pixels: uint8 (10,000, 1, 28, 28)."""
        return np.stack([item["image"] for item in self.arrays])

    @property
    def classes(self) -> np.ndarray:
        """All classes: int64 (10,000,)."""
        return np.stack(self.targets)

    def network(self) -> nn.Module:
        """The seed's CNN with fresh weights."""
        body = cnn.build(Shape({"image": self.arrays[0]["image"].shape}, 10), preset="seed")
        return Network(body, normalisation(item["image"] for item in self.arrays[:100]))

    def accuracy(self, network: nn.Module) -> float:
        """The share of right answers on the test digits."""
        with torch.no_grad():
            answers = network(torch.from_numpy(self.images[TRAINED:])).argmax(1)
        return float((answers.numpy() == self.classes[TRAINED:]).mean())


def _ours(digits: Digits) -> Figures:
    settings = TrainSettings(epochs=EPOCHS, batch=32, lr=1e-3, augment=0, smoothing=0, clip=0, threads=THREADS)
    with tempfile.TemporaryDirectory() as folder:
        job = loop.Job(
            network=digits.network(),
            samples=Samples(digits.arrays[:TRAINED], digits.targets[:TRAINED], ("image",), image.collate),
            objective=CLASSES,
            outputs=10,
            validate=lambda network: 0.0,
            augment=None,
            weights=None,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            progress=Silent(),
        )
        seconds = statistics.median(row["seconds"] for row in loop.fit(job, settings))
        return seconds, digits.accuracy(job.network)


def _bare(digits: Digits) -> Figures:
    network = digits.network()
    inputs, wanted = torch.from_numpy(digits.images[:TRAINED]), torch.from_numpy(digits.classes[:TRAINED])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    times = []
    for _ in range(EPOCHS):
        began = time.perf_counter()
        for chosen in torch.randperm(len(inputs)).split(32):
            loss = functional.cross_entropy(network(inputs[chosen]), wanted[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        times.append(time.perf_counter() - began)
    return statistics.median(times), digits.accuracy(network)


def _keras() -> Callable[[Digits], Figures] | None:
    """How Keras is measured; None, with the reason on stderr, where it cannot be installed."""
    try:
        interpreter = python(KERAS)
    except subprocess.CalledProcessError as error:
        print(f"Keras is left out, since it cannot be installed: {error.stderr.strip()}", file=sys.stderr)
        return None
    return lambda digits: _asked(interpreter, digits)


def _asked(interpreter: Path, digits: Digits) -> Figures:
    halves = {"train": slice(None, TRAINED), "test": slice(TRAINED, None)}
    pixels = {name: digits.images[half, 0] for name, half in halves.items()}
    classes = {f"{name}_labels": digits.classes[half] for name, half in halves.items()}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "digits.npz", **pixels, **classes)
        command = [interpreter, KERAS, folder, str(EPOCHS)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    told = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(told["seconds"]), told["accuracy"]


if __name__ == "__main__":
    main()

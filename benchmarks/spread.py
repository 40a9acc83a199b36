"""Training spread over two processes on one machine: records a second, beside one process with one and two threads.

Digits of MNIST, batch 64, by the seed's CNN and by ResNet-9. The ways take turns. Each measurement is a new
start; what it gives is the median of the epochs after the first.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _table import keep
from torch import nn

from lepton.core import plugins
from lepton.core.progress import Silent
from lepton.models._network import Network, normalisation
from lepton.models._objectives import CLASSES
from lepton.models._shape import Shape
from lepton.training import loop, processes
from lepton.training.data import Samples
from lepton.training.settings import TrainSettings
from lepton.transforms import image
from training import Digits

MODELS = {"cnn": {"preset": "seed"}, "resnet": {}}
WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes of one thread": (2, 1)}
EPOCHS, ROUNDS, TRAINED, BATCH = 3, 3, 2000, 64


def main() -> None:
    """Measure all, alternating, and keep the medians and their ratios to one process with one thread."""
    found = [{(model, way): _measured(model, *WAYS[way]) for model in MODELS for way in WAYS} for _ in range(ROUNDS)]
    rows = [_row(model, way, found) for model in MODELS for way in WAYS]
    keep("spread", rows, epochs=EPOCHS, digits=TRAINED, batch=BATCH, rounds=ROUNDS)


def _row(model: str, way: str, rounds: list[dict[tuple[str, str], float]]) -> dict[str, Any]:
    first = next(iter(WAYS))
    speed = statistics.median(each[model, way] for each in rounds)
    ratio = statistics.median(each[model, way] / each[model, first] for each in rounds)
    return {"model": model, "way": way, "records/s": speed, "ratio": ratio}


def _measured(model: str, count: int, threads: int) -> float:
    """Records a second by `count` processes of `threads` threads each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [_started((model, threads), rank, (count, port)) for rank in range(count)]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        sys.exit(f"{model} by {count} processes failed")
    speed = float(json.loads(said[0].splitlines()[-1]))
    print(f"{model}, {count} processes of {threads} threads: {speed:.0f} records/s", file=sys.stderr, flush=True)
    return speed


def _started(what: tuple[str, int], rank: int, group: tuple[int, int]) -> subprocess.Popen[str]:
    count, port = group
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    environment = {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": what[1], **told}
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, what)],
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        stdout=subprocess.PIPE,
        text=True,
    )


def train(model: str, threads: int) -> float:
    """Records a second of one training, which the other processes help with where there are any."""
    digits = Digits.read()
    settings = TrainSettings(epochs=EPOCHS, batch=BATCH, lr=1e-3, augment=0, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        job = loop.Job(
            network=_network(digits, model),
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
        return TRAINED / statistics.median(row["seconds"] for row in loop.fit(job, settings)[1:])


def _network(digits: Digits, model: str) -> nn.Module:
    body = plugins.load("models", model).build(Shape({"image": digits.arrays[0]["image"].shape}, 10), **MODELS[model])
    return Network(body, normalisation(item["image"] for item in digits.arrays[:100]))


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(processes.led(lambda: train(sys.argv[1], int(sys.argv[2])))))
    else:
        main()

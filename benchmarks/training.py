"""The loop's own cost: an epoch of the seed's CNN on MNIST against a bare PyTorch loop, in turn in one process."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
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

EPOCHS, ROUNDS = 2, 3


def main() -> None:
    """Measure both, alternating, and keep the medians and their ratio."""
    arrays, targets = _digits()
    pairs = [(_ours(arrays, targets), _bare(arrays, targets)) for _ in range(ROUNDS)]
    ours, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    keep(
        "training",
        [
            {"loop": "Lepton", "s an epoch": ours, "ratio": ratio},
            {"loop": "bare PyTorch", "s an epoch": bare, "ratio": 1.0},
        ],
    )


def _digits() -> tuple[list[dict[str, np.ndarray]], list[np.ndarray]]:
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    records = _read.read("mnist-10k", base=DATA, modality="image").records[:8000]
    fitted = image.fit(record.read() for record in records[:100])
    encode = image.encoder(fitted.settings, fitted.files)
    return [dict(encode(record.read())) for record in records], [np.array(int(str(record.label))) for record in records]


def _ours(arrays: list[dict[str, np.ndarray]], targets: list[np.ndarray]) -> float:
    settings = TrainSettings(epochs=EPOCHS, batch=32, lr=1e-3, augment=0, smoothing=0, clip=0)
    with tempfile.TemporaryDirectory() as folder:
        job = loop.Job(
            network=_network(arrays),
            samples=Samples(arrays, targets, ("image",), image.collate),
            objective=CLASSES,
            outputs=10,
            validate=lambda network: 0.0,
            augment=None,
            weights=None,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            progress=Silent(),
        )
        return statistics.median(row["seconds"] for row in loop.fit(job, settings))


def _bare(arrays: list[dict[str, np.ndarray]], targets: list[np.ndarray]) -> float:
    network = _network(arrays)
    inputs = torch.from_numpy(np.stack([item["image"] for item in arrays]))
    wanted = torch.from_numpy(np.stack(targets))
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
    return statistics.median(times)


def _network(arrays: list[dict[str, np.ndarray]]) -> nn.Module:
    body = cnn.build(Shape({"image": arrays[0]["image"].shape}, 10), preset="seed")
    return Network(body, normalisation(item["image"] for item in arrays[:100]))


if __name__ == "__main__":
    main()

"""A family's body with the affine scaling in front of it: what is trained, exported and served.

Shapes: B batch, C channels, H height, W width, T time steps, M mel bands.
"""

from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from lepton.core.errors import UserError

Scaling = tuple[np.ndarray, np.ndarray]
"""Mean and standard deviation, shaped to broadcast against one sample: (C, 1, 1) for images, (M,) for features."""


class Network(nn.Module):
    """`body` behind `(first array - mean) / std`, so that the graph takes what the transform gives, such as pixels.

    Without a scaling (text) the arrays reach the body untouched. Mean and deviation are buffers: they are saved with
    the weights and never trained.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, scaling: Scaling | None = None) -> None:
        super().__init__()
        self.body = body
        self.scaled = scaling is not None
        if scaling is not None:
            self.register_buffer("mean", torch.tensor(scaling[0], dtype=torch.float32))
            self.register_buffer("std", torch.tensor(scaling[1], dtype=torch.float32))

    def forward(self, *arrays: Tensor) -> Tensor:
        """Give the logits of a batch; `arrays` are the transform's inputs in order, batch first."""
        if not self.scaled:
            return cast(Tensor, self.body(*arrays))
        first, *rest = arrays
        return cast(Tensor, self.body((first.to(self.mean.dtype) - self.mean) / self.std, *rest))


def normalisation(samples: Iterable[np.ndarray]) -> Scaling | None:
    """Measure mean and standard deviation of training samples: per channel of (C, H, W), per band of (T, M).

    Token ids and other integers that are not uint8 pixels have no scale: None. A channel that never changes gets
    a deviation of 1, so that it becomes 0 and not infinite. Sums are in double precision, one sample at a time.
    Raises UserError when there is no sample.
    """
    totals: _Totals | None = None
    for sample in samples:
        if sample.dtype != np.uint8 and not np.issubdtype(sample.dtype, np.floating):
            return None
        totals = totals or _Totals(sample)
        totals.add(sample)
    if totals is None:
        raise UserError("There is no training sample", rule="Scaling is measured on at least one")
    return totals.scaling()


class _Totals:
    """Running count, sum and sum of squares around the first sample's mean, which keeps the subtraction exact."""

    def __init__(self, sample: np.ndarray) -> None:
        self.axes = (1, 2) if sample.ndim == 3 else tuple(range(sample.ndim - 1))
        self.origin = sample.mean(axis=self.axes, keepdims=True, dtype=np.float64)
        self.count = 0
        self.sum = np.zeros_like(self.origin)
        self.squares = np.zeros_like(self.origin)

    def add(self, sample: np.ndarray) -> None:
        centred = sample - self.origin
        self.count += sample.size // self.origin.size
        self.sum += centred.sum(axis=self.axes, keepdims=True)
        self.squares += np.square(centred).sum(axis=self.axes, keepdims=True)

    def scaling(self) -> Scaling:
        shift = self.sum / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - shift**2, 0.0))
        mean = self.origin + shift
        shape = mean.shape if mean.ndim == 3 else mean.shape[-1:]
        safe = np.where(std < 1e-6, 1.0, std)
        return mean.reshape(shape).astype(np.float32), safe.reshape(shape).astype(np.float32)

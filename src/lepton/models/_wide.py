"""A linear model over weighted n-grams: one weight for each n-gram and class.

Shapes: B batch, N n-grams, V ids, C classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lepton.core.types import Arrays


class Wide(nn.Module):
    """Logits (B, C) as the weighted sum of rows, and a bias.

    After `solve` its weights stay as they are (`solved`, which is saved with them): no gradient reaches them, for they
    were fitted to the training texts as a whole.
    """

    solved: Tensor

    def __init__(self, rows: int, outputs: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, outputs)
        nn.init.zeros_(self.table.weight)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("solved", torch.tensor(False))

    def forward(self, ngrams: Tensor, weights: Tensor) -> Tensor:
        logits = total(self.table(ngrams), weights) + self.bias
        return logits.detach() if self.kept else logits

    @property
    def kept(self) -> bool:
        """Whether this is training, and the weights are to stay."""
        return self.training and bool(self.solved)

    def solve(self, samples: Sequence[Arrays], targets: Sequence[np.ndarray], gain: float) -> None:
        """Fit a support vector machine, one class against the rest, and take its scores times `gain` as logits.

        The squared hinge loss with L2 weights (Fan et al., "LIBLINEAR", 2008) reaches on rare features what steps of
        AdamW do not. Equal samples give equal weights. With fewer than two classes in `targets` nothing happens.
        """
        from sklearn.svm import LinearSVC

        labels = np.array(targets)
        present = np.unique(labels)
        if len(present) < 2:
            return
        machine = LinearSVC(random_state=0).fit(_matrix(samples, self.table.num_embeddings), labels)
        self._take(machine, present, gain)

    def _take(self, machine: Any, present: np.ndarray, gain: float) -> None:
        rows, bias = _both(machine.coef_), _both(machine.intercept_[:, None])[:, 0]
        with torch.no_grad():
            self.bias.fill_(-gain)  # the score of a class that no text has
            self.table.weight.zero_()
            self.table.weight[:, present] = torch.from_numpy(gain * rows.T).to(self.table.weight)
            self.bias[present] = torch.from_numpy(gain * bias).to(self.bias)
        self.solved.fill_(True)


def total(rows: Tensor, weights: Tensor) -> Tensor:
    """Sum over N of rows (B, N, D) times weights (B, N)."""
    return (rows * weights.unsqueeze(-1)).sum(1)


def _both(scores: np.ndarray) -> np.ndarray:
    """A row for each class; for two classes there is only that of the second."""
    return np.concatenate([-scores, scores]) if len(scores) == 1 else scores


def _matrix(samples: Sequence[Arrays], rows: int) -> Any:
    """The samples' weights as a sparse matrix (samples, V)."""
    from scipy.sparse import csr_matrix

    lengths = np.cumsum([0, *(len(sample["ngrams"]) for sample in samples)])
    ids = np.concatenate([sample["ngrams"] for sample in samples])
    values = np.concatenate([sample["weights"] for sample in samples]).astype(np.float64)
    return csr_matrix((values, ids, lengths), (len(samples), rows))

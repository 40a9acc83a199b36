"""Learning from a better model: its answers beside, or instead of, the labels.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); relations between classes and between
samples by Huang et al., "Knowledge Distillation from A Stronger Teacher" (2022). Shapes: N rows (samples, or tokens
that count), C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional

from lepton.models._objectives import IGNORED


@dataclass(frozen=True)
class Teacher:
    """`answers(chosen, inputs)` gives a teacher's logits for a batch: of the samples numbered `chosen`, as `inputs`.

    `online` ones look at the inputs, so they see what augmentation and mixing made of them; others answer from a table
    made beforehand. `share` is the teacher's part of the loss.
    """

    answers: Callable[[Tensor, list[Tensor]], Tensor]
    online: bool
    share: float
    temperature: float
    by: Literal["logits", "relations"]

    def loss(self, logits: Tensor, soft: Tensor, targets: Tensor) -> Tensor:
        """How far `logits` are from the teacher's `soft` ones; tokens whose target is IGNORED do not count."""
        if logits.ndim == 3:
            kept = targets != IGNORED
            logits, soft = logits[kept], soft[kept]
        distance = {"logits": by_logits, "relations": by_relations}[self.by]
        return distance(logits, soft, self.temperature)


def by_logits(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened probabilities (N, C), times T^2 so that gradients keep their size."""
    mine = functional.log_softmax(logits / temperature, -1)
    theirs = functional.log_softmax(soft / temperature, -1)
    return functional.kl_div(mine, theirs, log_target=True, reduction="batchmean") * temperature**2


def by_relations(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """One minus Pearson's correlation of softened probabilities, along classes and along samples, times T^2."""
    mine, theirs = (functional.softmax(item / temperature, -1) for item in (logits, soft))
    return (_apart(mine, theirs) + _apart(mine.T, theirs.T)) * temperature**2


def _apart(one: Tensor, other: Tensor) -> Tensor:
    mine, theirs = (item - item.mean(1, keepdim=True) for item in (one, other))
    return 1 - functional.cosine_similarity(mine, theirs, dim=1).mean()

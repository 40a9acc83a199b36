"""Contrastive tuning: features of a class are drawn together and those of others apart, then the head is solved for.

As SetFit does for sentences (Tunstall et al., "Efficient Few-Shot Learning Without Prompts", 2022), by the loss of
Khosla et al., "Supervised Contrastive Learning" (2020), beside the one on labels as in Gunel et al., "Supervised
Contrastive Learning for Pre-trained Language Model Fine-tuning" (2021). Shapes: B records, D features.
"""

from collections.abc import Collection
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Contrast, Lr
from lepton.adapt._logistic import logistic
from lepton.core.settings import Range

WHOLE = True


def adapt(
    network: nn.Module,
    head: Collection[str],
    *,
    share: Annotated[float, Range(0, 1)] = 0.5,
    temperature: Annotated[float, Range(0.001, 100)] = 0.1,
    together: Annotated[int, Range(2, 1024)] = 4,
    epochs: Annotated[int, Range(1, 10_000)] = 10,
    lr: Lr = 1e-4,
) -> Adapted:
    """Tune all weights on batches with about `together` records of a class.

    `share` is the contrastive loss's part of the whole, the rest being that on labels. Similarities are divided by
    `temperature`: the lower, the more the nearest records count. The head is solved for before training and after each
    of the `epochs`. Raises UserError where it is not one dense layer.
    """
    _layers.needs_dense_head(network, head, "contrastive")
    return Adapted(
        [],
        lr=lr,
        still=_layers.batch_norms(network),
        epochs=epochs,
        solve=logistic,
        contrast=Contrast(partial(apart, temperature=temperature), share, together),
    )


def apart(features: Tensor, targets: Tensor, *, temperature: float) -> Tensor:
    """How unlikely a record's neighbours are to be of its class: mean over the records that have one of their class.

    The mean over those of -log of exp(cosine / temperature) over its sum over all others (Khosla et al., eq. 2).
    """
    unit = functional.normalize(features)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    chances = functional.log_softmax((unit @ unit.T / temperature).masked_fill(itself, -torch.inf), 1)
    alike = (targets[:, None] == targets) & ~itself
    counts = alike.sum(1)
    means = torch.where(alike, chances, 0.0).sum(1) / counts.clamp_min(1)
    return -means.sum() / (counts > 0).sum().clamp_min(1)

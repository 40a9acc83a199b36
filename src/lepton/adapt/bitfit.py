"""BitFit: only biases are trained, and the head.

Ben Zaken, Goldberg and Ravfogel, "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
Language-models" (2022). Those of normalisations and recurrent layers are biases too.
"""

from collections.abc import Collection

from torch import nn

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Layers, Lr


def adapt(network: nn.Module, head: Collection[str], *, layers: Layers = None, lr: Lr = 2e-3) -> Adapted:
    """Train the biases, and the head; statistics of batches stay. Raises UserError where there is no bias."""
    _layers.freeze(network, head)
    chosen = _layers.found(network, head, (nn.Module,), layers=layers)
    biased = [name for name, part in chosen.items() if _biases(part)]
    for name in biased:
        for bias in _biases(chosen[name]):
            bias.requires_grad_()
    return Adapted(_layers.some(biased, network, "bitfit"), lr=lr, still=_layers.batch_norms(network))


def _biases(part: nn.Module) -> list[nn.Parameter]:
    return [value for name, value in part.named_parameters(recurse=False) if name.startswith("bias")]

"""A dense head that is made from the features of the training records, each of which passes the network once.

Shapes: B batch, N records (or tokens that count), D features.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lepton.adapt._adapted import Solve
from lepton.core.errors import UserError
from lepton.core.progress import Progress, Silent
from lepton.models._objectives import IGNORED
from lepton.stages import _model
from lepton.training.beside import caught
from lepton.training.data import Samples, pad


@dataclass(frozen=True)
class Solver:
    """How the dense layer `layer` of a network is made: by `solve`, from the features of `samples` as they are.

    `weights` are those of the classes.
    """

    layer: str
    solve: Solve
    samples: Samples
    weights: Tensor | None

    def settle(self, network: nn.Module, progress: Progress | None = None) -> None:
        """Make the head of `network`, in place, and leave the network in evaluation mode.

        Raises UserError where the layer does not give the logits.
        """
        network.eval()
        head = cast(nn.Linear, network.get_submodule(self.layer))
        with torch.no_grad():
            features, targets = self._seen(network, progress or Silent())
        weight, bias = self.solve(features, targets, outputs=head.out_features, weights=self.weights)
        with torch.no_grad():
            head.weight.copy_(weight)
            head.bias.copy_(bias)

    def _seen(self, network: nn.Module, progress: Progress) -> tuple[Tensor, Tensor]:
        """What enters the head, (N, D), with the targets, (N,); tokens that do not count are left out."""
        samples, rows, kinds = self.samples, [], []
        with progress.bar("features", len(samples)) as bar:
            for chosen, batch in _model.batches(samples.arrays, samples.collate):
                found = self._features(network, [torch.from_numpy(batch[name]) for name in samples.inputs])
                targets = pad([samples.targets[index] for index in chosen]).to(found.device)
                rows.append(found[targets != IGNORED])
                kinds.append(targets[targets != IGNORED])
                bar.step(len(chosen))
        return torch.cat(rows).float(), torch.cat(kinds)

    def _features(self, network: nn.Module, inputs: list[Tensor]) -> Tensor:
        """What enters the head, (B, D), or (B, T, D) where tokens have one each."""
        head = cast(nn.Linear, network.get_submodule(self.layer))
        with caught(network, self.layer) as seen:
            logits = network(*(item.to(head.weight.device) for item in inputs))
        features = seen[-1]
        if not torch.allclose(functional.linear(features, head.weight, head.bias), logits, rtol=1e-3, atol=1e-3):
            raise UserError(
                "The head cannot be solved for",
                rule="What its dense layer gives must be the logits, class by class",
                received="another order, or something behind it",
                remedy='Choose another method, or a fresh head: model.head = "fresh"',
            )
        return features

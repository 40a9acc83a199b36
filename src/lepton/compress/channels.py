"""Fewer channels: whole filters and features are taken out, with everything that is tied to them.

Fang et al., "DepGraph: Towards Any Structural Pruning" (2023), whose library follows each channel through the network;
importance by norms (Li et al., "Pruning Filters for Efficient ConvNets", 2017) or by first-order change of the loss
(Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import torch
import torch_pruning
from torch import Tensor, nn
from torch_pruning import ops

from lepton.compress._candidate import Candidate, Context
from lepton.compress._networks import Epochs, Rate, batches, check, copied, doubt, network_of, recovered
from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models._audio import channels_last

TAKES, GIVES = ("network",), "network"
AUTO: tuple[Mapping[str, Any], ...] = ({"share": 0.3}, {"share": 0.5}, {"share": 0.75}, {"share": 0.88})

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_PASSED = (ops._ElementWiseOp, ops._ConcatOp, ops._ReshapeOp)


def compress(
    candidate: Candidate,
    context: Context,
    *,
    share: Annotated[float, Range(0.05, 0.95)] = 0.5,
    ranking: Literal["layer", "network"] = "layer",
    importance: Literal["norm", "taylor"] = "norm",
    multiple: Annotated[int, Range(1, 64)] = 8,
    samples: Annotated[int, Range(1, 100_000)] = 64,
    epochs: Epochs = 1.0,
    rate: Rate = 1.0,
) -> Candidate:
    """Take out the `share` of channels that matters least, and train what is left to recover.

    Channels are those of convolutions and the features between two dense layers, such as inside a transformer's
    feed-forward part. `ranking` takes the share out of each layer, or of the whole network, layers made comparable by
    their mean. "taylor" measures importance on `samples` training samples, with the network's own answers for labels.
    A layer keeps an eighth of its channels at least, and a multiple of `multiple` (vector units like them) where it
    keeps twice that. Inputs, embeddings, recurrent layers, attention, what layer normalisation sees and the head's
    outputs stay as they are. Raises UserError where nothing else is left.
    """
    network = copied(candidate)
    inputs = list(batches(candidate, context, samples if importance == "taylor" else 2))
    graph = _graph(network.requires_grad_(True), [each[:2] for each in inputs[0]])
    found = list(_groups(graph))
    scores = _scores(network, found, inputs if importance == "taylor" else [])
    dropped = _dropped(scores, share, multiple=multiple, together=ranking == "network")
    _refuse_nothing(found, dropped, share)
    for group, places in zip(found, dropped, strict=True):
        group.prune(places)
    _as_before(network, network_of(candidate))
    check(network, inputs[0], "channels")
    return recovered(candidate, context, network, epochs=epochs, rate=rate)


def _graph(network: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """Which channels of which layers belong together."""
    graph = torch_pruning.DependencyGraph()
    opaque = {kind: _Opaque() for kind in (nn.RNN, nn.LSTM, nn.GRU)}
    with _cut(network) as ends:
        try:
            return graph.build_dependency(
                network,
                example_inputs=inputs,
                # A product stands behind each end, so that the tracer sees an end and not the layer that came last.
                forward_fn=lambda network, inputs: [1 * each for each in (network(*inputs), *ends)],
                customized_pruners=opaque,
                verbose=False,
            )
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                "The network's channels cannot be followed",
                rule="torch-pruning must be able to trace it",
                received=f"{type(error).__name__}: {error}",
                remedy='Leave "channels" out of compress.passes, or take "distil"',
            ) from error


@contextmanager
def _cut(network: nn.Module) -> Iterator[list[Tensor]]:
    """Gather what recurrent layers are given, and let tracing begin anew behind them: it does not know their inside."""
    ends: list[Tensor] = []

    def before(part: nn.Module, given: tuple[Any, ...]) -> None:
        if given[0].requires_grad:
            ends.append(given[0])

    def behind(part: nn.Module, given: tuple[Any, ...], gave: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        return 1 * gave[0].detach().requires_grad_(), gave[1]

    parts = [part for part in network.modules() if isinstance(part, nn.RNNBase)]
    hooks = [part.register_forward_pre_hook(before) for part in parts]
    hooks += [part.register_forward_hook(behind) for part in parts]
    yield ends
    for hook in hooks:
        hook.remove()


class _Opaque(ops.DummyPruner):  # type: ignore[misc]
    """Tells the width of a recurrent layer, which is never pruned."""

    def get_out_channels(self, layer: nn.RNNBase) -> int:
        """Features of a state, of both directions together."""
        return (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)


def _groups(graph: Any) -> Iterator[Any]:
    """Channels that can go together: all that is tied to them treats each channel by itself."""
    for group in graph.get_all_groups(root_module_types=[*_CONVOLUTIONS, nn.Linear]):
        pairs = [(dep.target.module, graph.is_out_channel_pruning_fn(dep.handler), places) for dep, places in group]
        dense = [part for part, gives, _ in pairs if isinstance(part, nn.Linear) and gives]
        # More than one dense layer that gives the same features, or one read beyond its width, is attention.
        if len(dense) <= 1 and all(_apart(part) and max(places) < _width(part, gives) for part, gives, places in pairs):
            yield group


def _apart(part: nn.Module) -> bool:
    """Whether a part treats channels one by one, so that taking some out leaves the others as they were."""
    if isinstance(part, _CONVOLUTIONS):
        return part.groups == 1 or part.groups == part.in_channels == part.out_channels
    return isinstance(part, (nn.Linear, *_NORMS, *_PASSED))


def _width(part: nn.Module, gives: bool) -> float:
    """How many channels a layer gives, or is given."""
    if isinstance(part, nn.Linear):
        return part.out_features if gives else part.in_features
    if isinstance(part, _CONVOLUTIONS):
        return part.out_channels if gives else part.in_channels
    return float("inf")


def _scores(network: nn.Module, groups: Sequence[Any], inputs: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The importance of each group's channels, of mean 1: by norms, or by the loss's slopes where there are inputs."""
    for batch in inputs:
        doubt(network(*batch)).backward()
    kind = torch_pruning.importance.TaylorImportance if inputs else torch_pruning.importance.MagnitudeImportance
    found = [kind(normalizer="mean")(group) for group in groups]
    network.zero_grad()
    return found


def _dropped(scores: Sequence[Tensor], share: float, *, multiple: int, together: bool) -> list[list[int]]:
    """The places of the channels that go from each group."""
    if not scores:
        return []
    everywhere = torch.cat(list(scores)).quantile(share)
    counts = [int((each > everywhere).sum()) if together else round((1 - share) * len(each)) for each in scores]
    kept = [count if count < 2 * multiple else count - count % multiple for count in counts]
    least = [max(1, count, len(each) // 8) for each, count in zip(scores, kept, strict=True)]
    return [each.argsort()[: len(each) - count].tolist() for each, count in zip(scores, least, strict=True)]


def _as_before(network: nn.Module, original: nn.Module) -> None:
    """Train the parameters that were trained, and lay weights out in memory as they were."""
    kept = dict(original.named_parameters())
    for name, each in network.named_parameters():
        each.requires_grad_(kept[name].requires_grad)
    if not all(each.is_contiguous() for each in kept.values()):
        channels_last(network)


def _refuse_nothing(groups: Sequence[Any], dropped: Sequence[Sequence[int]], share: float) -> None:
    if not any(dropped):
        raise UserError(
            "There are no channels to take out",
            rule="The network must have convolutions or two dense layers in a row, and the share must reach a channel",
            received=f"{len(groups)} groups of channels that may go, share = {share:g}",
            remedy='Raise share, or leave "channels" out of compress.passes',
        )

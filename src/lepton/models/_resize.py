"""Giving a freshly built network the sizes of weights that were pruned, so that it can take them."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lepton.models._attention import attentions

Weights = Mapping[str, Tensor]


def fit_to(network: nn.Module, weights: Weights) -> None:
    """Give the layers of `network` the sizes of a state dict, in place, so that `load_state_dict` takes it.

    Lists of layers end where the weights do; a part of a sequence that has no weights left hands on its input.
    Attention has as many heads as its projections are wide. Layers whose sizes agree are left alone.
    """
    _drop(network, weights)
    found = attentions(network)
    for name, part in network.named_modules():
        _resize(part, f"{name}." if name else "", weights)
    for each in found:
        each.count()


def _drop(network: nn.Module, weights: Weights) -> None:
    """Take out what lists and sequences hold beyond the weights."""
    for name, part in list(network.named_modules()):
        for key, child in reversed(list(part.named_children())):
            place = f"{name}.{key}." if name else f"{key}."
            if not child.state_dict() or any(each.startswith(place) for each in weights):
                continue
            if isinstance(part, nn.ModuleList):
                del part[int(key)]
            elif isinstance(part, nn.Sequential):
                setattr(part, key, nn.Identity())


def _resize(part: nn.Module, place: str, weights: Weights) -> None:
    """Give a layer's own tensors the shapes found under `place`, empty, and the attributes that follow."""
    own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
    wrong = [(key, old) for key, old in own if weights.get(place + key, old).shape != old.shape]
    for key, old in wrong:
        empty = old.detach().new_zeros(weights[place + key].shape)
        setattr(part, key, nn.Parameter(empty, old.requires_grad) if isinstance(old, nn.Parameter) else empty)
    for name, value in _sizes(part, weights[place + wrong[0][0]].shape).items() if wrong else ():
        setattr(part, name, value)


def _sizes(part: nn.Module, shape: Sequence[int]) -> dict[str, Any]:
    """The attributes of a layer that repeat the shape of its first tensor."""
    match part:
        case nn.Conv1d() | nn.Conv2d():
            groups = shape[0] * part.groups // part.out_channels if _depthwise(part) else part.groups
            return {"out_channels": shape[0], "in_channels": shape[1] * groups, "groups": groups}
        case nn.Linear():
            return {"out_features": shape[0], "in_features": shape[1]}
        case nn.Embedding():
            return {"num_embeddings": shape[0], "embedding_dim": shape[1]}
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return {"num_features": shape[0]}
        case nn.LayerNorm():
            return {"normalized_shape": tuple(shape)}
        case nn.GroupNorm():
            return {"num_channels": shape[0]}
    return {}


def _depthwise(part: nn.Conv1d | nn.Conv2d) -> bool:
    return part.groups == part.in_channels > 1

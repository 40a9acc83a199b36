"""Bottleneck adapters: small networks between the layers, which add to what passes them by.

Houlsby et al., "Parameter-Efficient Transfer Learning for NLP" (2019); for convolutions Rebuffi, Bilen and Vedaldi,
"Learning multiple visual domains with residual adapters" (2017). They do not fold into the weights, so they stay.
Shapes: B batch, D features, C channels.
"""

from collections.abc import Collection, Iterator
from typing import Annotated, Any

from torch import Tensor, nn
from torch.nn import functional

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Layers, Lr
from lepton.core.settings import Range

STAYS = True

_READING = (nn.Conv1d, nn.Conv2d, nn.RNNBase)


def adapt(
    network: nn.Module,
    head: Collection[str],
    *,
    width: Annotated[int, Range(1, 4096)] = 16,
    layers: Layers = None,
    lr: Lr = 2e-3,
) -> Adapted:
    """Put adapters of `width` features into the network, and train them and the head.

    One stands behind each block of a transformer, and elsewhere in front of each convolution and recurrent layer that
    takes more than `width` features. Raises UserError where there is no such place.
    """
    _layers.freeze(network, head)
    chosen = {name: part for name, part in _places(network, head, width) if _layers.named(name, layers)}
    names = _layers.some(list(chosen), network, "adapters")
    for parent, key, part in _layers.parts(network):
        if part in chosen.values():
            parent.add_module(key, _with_adapter(part, width))
    return Adapted(names, lr=lr, still=_layers.batch_norms(network))


def _places(network: nn.Module, head: Collection[str], width: int) -> Iterator[tuple[str, nn.Module]]:
    """The blocks of transformers, and the convolutions and recurrent layers outside them, by name."""
    blocks = {
        f"{name}.{key}": block
        for name, part in _layers.found(network, head, (nn.ModuleList,)).items()
        for key, block in part.named_children()
        if _dense(block)
    }
    outer = [name for name in blocks if not any(name.startswith(f"{other}.") for other in blocks)]
    yield from ((name, blocks[name]) for name in outer)
    for name, part in _layers.found(network, head, _READING).items():
        if _reads(part) > width and not any(name.startswith(f"{block}.") for block in outer):
            yield name, part


def _dense(block: nn.Module) -> bool:
    """Whether a block is one of a transformer: several dense layers, and no other that computes."""
    dense = [part for part in block.modules() if isinstance(part, nn.Linear)]
    return len(dense) > 1 and not any(isinstance(part, _READING) for part in block.modules())


def _reads(part: nn.Module) -> int:
    return int(part.input_size if isinstance(part, nn.RNNBase) else part.in_channels)  # type: ignore[arg-type]


def _with_adapter(part: nn.Module, width: int) -> nn.Module:
    if isinstance(part, nn.RNNBase):
        return _Before(part, _Bottleneck(nn.Linear(part.input_size, width), nn.Linear(width, part.input_size)))
    if isinstance(part, _READING):
        kind = nn.Conv1d if isinstance(part, nn.Conv1d) else nn.Conv2d
        return _Before(part, _Bottleneck(kind(_reads(part), width, 1), kind(width, _reads(part), 1)))
    size = [each for each in part.modules() if isinstance(each, nn.Linear)][-1].out_features
    return _Behind(part, _Bottleneck(nn.Linear(size, width), nn.Linear(width, size)))


class _Bottleneck(nn.Module):
    """What is added to features: down to fewer, up again; nothing before training."""

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down, self.up = down, up
        for parameter in up.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.up(functional.gelu(self.down(features)))


class _Before(nn.Module):
    """A layer that reads what an adapter made of its input."""

    def __init__(self, layer: nn.Module, adapter: nn.Module) -> None:
        super().__init__()
        self.adapter, self.layer = adapter, layer

    def forward(self, features: Tensor, *more: Any) -> Any:
        return self.layer(self.adapter(features), *more)


class _Behind(nn.Module):
    """A block whose states an adapter adds to; what else the block gives, and its attributes, are handed on."""

    def __init__(self, layer: nn.Module, adapter: nn.Module) -> None:
        super().__init__()
        self.layer, self.adapter = layer, adapter

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, *given: Any, **more: Any) -> Any:
        gave = self.layer(*given, **more)
        return (self.adapter(gave[0]), *gave[1:]) if isinstance(gave, tuple) else self.adapter(gave)

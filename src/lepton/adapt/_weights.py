"""Changes to single weights of layers that `peft` does not know, such as LSTM and GRU, as parametrisations."""

from collections.abc import Iterator

from torch import nn
from torch.nn.utils import parametrize


def matrices(layer: nn.Module) -> list[str]:
    """The names of a layer's weights without its biases: several where it is recurrent."""
    return [name for name, _ in layer.named_parameters(recurse=False) if name.startswith("weight")]


def change(layer: nn.Module, name: str, by: nn.Module) -> None:
    """Let the weight `name` of `layer` be `by(weight)` from now on, in place; the weight itself is not trained."""
    parametrize.register_parametrization(layer, name, by)
    layer.parametrizations[name].original.requires_grad_(False)  # type: ignore[index, union-attr]


def settle(network: nn.Module) -> None:
    """Make what the changes give the plain weights, in place, each layer's in the order that it had."""
    for layer in list(_changed(network)):
        order = _order(layer)
        for name in list(layer.parametrizations):  # type: ignore[arg-type]
            parametrize.remove_parametrizations(layer, name)
        for name in order:
            layer.register_parameter(name, layer._parameters.pop(name))  # noqa: SLF001


def _changed(network: nn.Module) -> Iterator[nn.Module]:
    return (part for part in network.modules() if parametrize.is_parametrized(part))


def _order(layer: nn.Module) -> list[str]:
    """The names of a layer's parameters as it was built with them."""
    flat: list[str] = getattr(layer, "_flat_weights_names", [])
    return flat or ["weight", *(["bias"] if "bias" in layer._parameters else [])]

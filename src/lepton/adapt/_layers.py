"""Which layers of a network a method adapts, and what of it is trained."""

from collections.abc import Collection, Iterator, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton.core.errors import UserError


def freeze(network: nn.Module, head: Collection[str]) -> None:
    """Let only the parameters named in `head` be trained, in place."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in head)


def found(
    network: nn.Module,
    head: Collection[str],
    kinds: tuple[type[nn.Module], ...],
    *,
    layers: Sequence[str] | None = None,
) -> dict[str, nn.Module]:
    """The modules of `kinds` outside the head by name; with `layers`, those in whose name one of these parts stands."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, kinds)
        and not any(f"{name}.{own}" in head for own, _ in module.named_parameters())
        and named(name, layers)
    }


def named(name: str, layers: Sequence[str] | None) -> bool:
    """Whether one of the parts of names `layers` stands in `name`; where there are none, yes."""
    return not layers or any(part in name for part in layers)


def some(names: Sequence[str], network: nn.Module, method: str) -> list[str]:
    """The names of what `method` adapts. Raises UserError where there is none."""
    if not names:
        raise UserError(
            f'There is nothing in the network that "{method}" could adapt',
            rule="The layers that it takes are told of in the reference",
            received=", ".join(sorted({type(part).__name__ for part in network.modules() if _weighty(part)})),
            remedy="Choose another method, or leave adapt.layers out",
        )
    return list(names)


def dense_head(network: nn.Module, head: Collection[str]) -> str | None:
    """The name of the dense layer whose weight and bias are all of the head; None where it is made otherwise."""
    for name, part in network.named_modules():
        if isinstance(part, nn.Linear) and {f"{name}.weight", f"{name}.bias"} == set(head):
            return name
    return None


def needs_dense_head(network: nn.Module, head: Collection[str], method: str) -> None:
    """Raise UserError where the head is not one dense layer, whose rows `method` makes."""
    if dense_head(network, head) is None:
        raise UserError(
            f'There is nothing in the network that "{method}" could make the rows of',
            rule="Its head must be one dense layer with biases",
            received=f"a head of {', '.join(sorted(head))}" if head else "no head",
            remedy="Choose another method, or another model",
        )


def norms(network: nn.Module) -> dict[str, nn.Module]:
    """The normalisations by name: of batches, layers and groups, and those that transformers calls so."""
    return {name: part for name, part in network.named_modules() if "Norm" in type(part).__name__ and _weighty(part)}


def batch_norms(network: nn.Module) -> list[str]:
    """The names of the modules that keep statistics of batches."""
    return [name for name, part in network.named_modules() if isinstance(part, _BatchNorm)]


def parts(network: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Each module with its parent and its name there, so that it can be replaced."""
    for parent in list(network.modules()):
        for key, child in list(parent.named_children()):
            yield parent, key, child


def _weighty(part: nn.Module) -> bool:
    return any(True for _ in part.parameters(recurse=False))

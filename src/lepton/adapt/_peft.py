"""What the methods through `peft` share: its layers put into a network, and folded into the weights again."""

from collections.abc import Collection
from typing import Any

from torch import nn

from lepton.adapt._layers import parts


def inject(network: nn.Module, head: Collection[str], config: Any) -> None:
    """Put the layers that a configuration of `peft` tells of into a network, in place; the head is trained as well."""
    from peft import inject_adapter_in_model

    inject_adapter_in_model(config, network)
    for name, value in network.named_parameters():
        value.requires_grad_(value.requires_grad or name in head)


def merge(network: nn.Module) -> None:
    """Fold what `peft` put into a network into its weights, in place, and take its layers out."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for parent, key, part in parts(network):
        if isinstance(part, BaseTunerLayer):
            part.merge(safe_merge=True)
            setattr(parent, key, part.get_base_layer())
    if hasattr(network, "peft_config"):
        del network.peft_config

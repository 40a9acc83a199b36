"""Which parameters of a network make its logits: what is put anew where the classes are others."""

import re

from torch import nn

_HEAD = re.compile(r"body\.(heads?|wide|direct|bias|body\.(classifier|score|logits_proj))(\.|$)")
"""The families call it head or heads; a linear part over n-grams (wide, direct) gives logits by itself, and a hub
model's own head has one of the names that transformers gives it."""


def head(network: nn.Module) -> list[str]:
    """The names of the parameters of the head of a Network, in their order; none where a graph was brought."""
    return [name for name, _ in network.named_parameters() if _HEAD.match(name)]

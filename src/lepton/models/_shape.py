"""What a model is told about the data it is built for."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shape:
    """Array shapes of one encoded sample by name (0 where the length varies), number of outputs, and vocabulary size.

    image: (C, H, W) uint8. features: (T, mels) float32. input_ids, attention_mask, ngrams: (0,) int64.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: int
    vocabulary: int = 0
    task: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)

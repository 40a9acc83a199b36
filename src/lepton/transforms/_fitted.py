"""What a fitted transform is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lepton.core.types import Arrays, Raw

Encoder = Callable[[Raw], Arrays]
"""One raw input to its named arrays, without a batch axis."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """All that is needed to encode: JSON settings, and files (name -> bytes) that go into the app."""

    settings: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)

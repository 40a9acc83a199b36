"""The simple models that a score is held against, taught with one set of records and asked about another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lepton.core.types import Arrays, Record
from lepton.stages import _encoded
from lepton.stages._stage import Stage
from lepton.training import baselines
from lepton.transforms._fitted import Encoder


@dataclass(frozen=True)
class Rivals:
    """Baselines that answer `asked`; media go through the transform that the train stage fitted."""

    stage: Stage
    asked: Sequence[Record]

    def majority(self, train: Sequence[Record]) -> tuple[str, list[Any]]:
        """The name and the answers of the majority class."""
        return "majority class", baselines.majority(train)(self.asked, [])

    def linear(self, train: Sequence[Record]) -> tuple[str, list[Any]]:
        """The name and the answers of the linear model."""
        name, predict = baselines.linear(train, self._arrays(train), self.stage.seed)
        return name, predict(self.asked, self._asked)

    @cached_property
    def _asked(self) -> list[Arrays]:
        return self._arrays(self.asked)

    @cached_property
    def _encode(self) -> Encoder:
        return _encoded.encoder(*_encoded.load(self.stage.parents["train"]))

    def _arrays(self, records: Sequence[Record]) -> list[Arrays]:
        """The arrays of media; linear models read texts as they are."""
        return [] if isinstance(records[0].raw, str) else _encoded.encode(records, self._encode)

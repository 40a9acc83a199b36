"""The contract: what an application must keep to be shipped."""

from dataclasses import dataclass
from typing import Annotated

from lepton.core.settings import Range


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric on the validation set: its least value, and the largest drop against the uncompressed model."""

    name: str | None = None
    min: Annotated[float, Range(0, 1)] | None = None
    max_drop: Annotated[float, Range(0, 1)] | None = None


@dataclass(frozen=True, kw_only=True)
class Latency:
    """From raw input to answer on this machine, in milliseconds."""

    p95_ms: Annotated[float, Range(0)] | None = None
    p50_ms: Annotated[float, Range(0)] | None = None
    batch: Annotated[int, Range(1, 4096)] = 1
    threads: Annotated[int, Range(1, 256)] = 1


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What must hold; what is left out falls back to the standing contract.

    The standing contract: no slower (95 % interval on the ratio of medians, measured in turn) and no larger than the
    uncompressed ONNX model, and a drop of at most one point or the smallest that the validation set can prove.
    """

    metric: Metric = Metric()
    latency: Latency = Latency()
    size_mb: Annotated[float, Range(0)] | None = None

    @property
    def standing(self) -> bool:
        """Whether nothing was asked for, so that only the standing contract holds."""
        asked = (self.metric.min, self.metric.max_drop, self.latency.p95_ms, self.latency.p50_ms, self.size_mb)
        return all(item is None for item in asked)


@dataclass(frozen=True, slots=True)
class Clause:
    """One line of the contract held against what was measured."""

    name: str
    asked: float
    measured: float
    kept: bool
    note: str = ""

    def __str__(self) -> str:
        mark = "kept" if self.kept else "NOT kept"
        return f"{self.name}: {self.measured:.4g} (asked {self.asked:.4g}) {mark}"

"""What compression methods take and hand on, and what they may ask of the stage that runs them.

A method is one step of a plan: `compress(candidate, context, *, settings...) -> Candidate`. It says what it works on
(`TAKES`) and what it leaves behind (`GIVES`), each one of FORMS; the stage exports a network where the next method
wants its graph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from torch import nn

from lepton.core.types import Arrays
from lepton.transforms._fitted import Fitted

FORMS = ("network", "graph", "quantised", "packed")
"""What a candidate is, each made from the one before: a PyTorch network, an ONNX graph in floating point, one that
computes in 8 bits, and one whose stored weights are packed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model on its way to an app.

    `network` is missing where somebody brought a graph; `graph` until it is exported. `described` (model, shape,
    classes, decode, inputs) and `transform` (its name, and itself) say how raw inputs become answers. One that is not
    `batchable` answers differently in company.
    """

    described: Mapping[str, Any]
    transform: tuple[str, Fitted]
    network: nn.Module | None = None
    graph: Path | None = None
    batchable: bool = True

    def with_network(self, network: nn.Module, **described: Any) -> "Candidate":
        """The candidate around another network, its graph forgotten."""
        return replace(self, network=network, graph=None, described={**self.described, **described})

    def with_graph(self, graph: Path, *, batchable: bool | None = None) -> "Candidate":
        """The candidate around another graph."""
        return replace(self, graph=graph, batchable=self.batchable if batchable is None else batchable)


@dataclass(frozen=True)
class Teaching:
    """How a network learns from a better one.

    `teachers`: the candidate whose answers are learnt, or folders of apps and runs, whose mean is. `temperature`
    softens both sides; `share` is the teacher's part of the loss, the labels have the rest. `by`: "logits" (Hinton et
    al. 2015) or "relations" between classes and between samples (Huang et al. 2022). `generated`: rewritten texts for
    each training text, labelled by the teacher (Tang et al. 2019); pictures and sounds are augmented as they come.
    """

    teachers: Candidate | Sequence[str]
    temperature: float = 2.0
    share: float = 0.8
    by: Literal["logits", "relations"] = "logits"
    generated: int = 0


class Workshop(Protocol):
    """What a stage does for a method: data and training, which no method reaches by itself."""

    def samples(self, candidate: Candidate, count: int) -> Sequence[Arrays]:
        """At most `count` training samples, drawn by the seed, encoded by the candidate's transform."""

    def tune(self, candidate: Candidate, *, epochs: float, rate: float, teaching: Teaching | None) -> Candidate:
        """The candidate with its network trained further, in place: `epochs` and `rate` times those of its training."""

    def learn(self, model: Mapping[str, Any], teaching: Teaching, *, epochs: float) -> Candidate:
        """A fresh network of `model` (`{name, settings}`) that learns from a teacher."""

    def smaller(self, candidate: Candidate, fraction: float) -> dict[str, Any]:
        """The model of the candidate's own family with widths multiplied by `fraction`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What one step may use: a folder to write in, the seed, and the workshop."""

    folder: Path
    seed: int
    workshop: Workshop

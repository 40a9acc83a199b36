"""The settings of training: what a recipe's [train] can say."""

from dataclasses import dataclass
from typing import Annotated, Literal

from lepton.core.settings import Range


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a model is trained. Left out, `epochs` follows from the size of the data (see `epochs_for`); 0: none.

    lr: peak rate. warmup: share of the steps. accumulate: batches to a step. clip: largest gradient norm, 0 for none.
    smoothing: label smoothing. mixup: alpha of the Beta distribution, 0 for none (Zhang 2018). augment: strength, 0 for
    none. ema: decay of the averaged weights, 0 for none. patience: epochs without a better validation metric before
    training stops. precision: "auto" is bf16 on a GPU that has it; processors with such instructions train transformers
    two to three times faster in bf16. gradient_checkpointing: what blocks find is not kept for the backward pass but
    computed again, which saves memory for time. budget: minutes for `model.name = "auto"`. start: the run, or the file
    of weights (safetensors, or a state_dict), whose weights training begins with. adapter: a folder with an adapter,
    or the run that made one, which is laid on them. curve: train on shares of the records as well, to see what more
    labels would bring; true: 1, 5, 10 and 50 %.
    """

    epochs: Annotated[int, Range(0, 10_000)] | None = None
    batch: Annotated[int, Range(1, 65_536)] = 32
    lr: Annotated[float, Range(0, 10)] = 2e-3
    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    schedule: Literal["cosine", "onecycle", "exponential", "constant"] = "onecycle"
    warmup: Annotated[float, Range(0, 1)] = 0.0
    weight_decay: Annotated[float, Range(0, 10)] = 0.01
    accumulate: Annotated[int, Range(1, 4096)] = 1
    clip: Annotated[float, Range(0)] = 1.0
    smoothing: Annotated[float, Range(0, 0.9)] = 0.05
    mixup: Annotated[float, Range(0, 10)] = 0.0
    augment: Annotated[float, Range(0, 2)] = 0.5
    ema: Annotated[float, Range(0, 0.99999)] = 0.0
    patience: Annotated[int, Range(1)] | None = None
    class_weights: Literal["none", "balanced"] = "none"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    gradient_checkpointing: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Range(1, 1024)] | None = None
    budget: Annotated[float, Range(0.1, 10_000)] = 10.0
    start: str | None = None
    adapter: str | None = None
    curve: bool | Annotated[list[float], Range(0.001, 0.99)] = False


def epochs_for(records: int, batch: int) -> int:
    """Epochs where the recipe names none: about 2,000 steps, at least 8 and at most 60 epochs."""
    steps = max(1, records // batch)
    return max(8, min(60, round(2000 / steps)))

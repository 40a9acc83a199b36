"""Learning-rate schedules: each gives the factor on the base rate at a fraction of the training."""

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(done: float) -> float:
    """Always 1."""
    return 1.0


def cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter 2017)."""
    return 0.5 * (1 + math.cos(math.pi * done))


def exponential(done: float) -> float:
    """From 1 to 0.01, the same factor each step."""
    return float(0.01**done)


def onecycle(done: float) -> float:
    """Up from 1/25 for 30 % of the training, then down to 0, both along a cosine (Smith and Topin 2018)."""
    if done < 0.3:
        return 1 / 25 + (1 - 1 / 25) * (1 - cosine(done / 0.3))
    return cosine((done - 0.3) / 0.7)


SCHEDULES: dict[str, Schedule] = {f.__name__: f for f in (constant, cosine, exponential, onecycle)}


def factor(name: str, step: int, *, total: int, warmup: float) -> float:
    """The factor at `step` of `total`: a straight rise over the first `warmup` share, then the schedule `name`."""
    rising = warmup * total
    if step < rising:
        return (step + 1) / (rising + 1)
    return SCHEDULES[name]((step - rising) / max(1.0, total - rising))

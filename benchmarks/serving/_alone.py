"""ONNX Runtime alone, in a loop: `python _alone.py MODEL SECONDS` prints milliseconds a run, the mean of all.

It runs in a process of its own, so that nothing else shares its memory and its core.
"""

import sys
import time
from pathlib import Path

import numpy as np
from _rival import opened


def milliseconds(model: Path, seconds: float) -> float:
    """Mean wall time of a run on one sample of noise, after some to warm up."""
    session = opened(model)
    given = session.get_inputs()[0]
    sample = np.random.default_rng(0).integers(0, 256, (1, *given.shape[1:]), np.uint8)
    for _ in range(10):
        session.run(None, {given.name: sample})
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        session.run(None, {given.name: sample})
        count += 1
    return (time.perf_counter() - began) * 1e3 / count


if __name__ == "__main__":
    print(milliseconds(Path(sys.argv[1]), float(sys.argv[2])))

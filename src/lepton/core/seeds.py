"""One seed fixes everything: each use derives its own stream from the recipe's seed and its own name."""

import hashlib

import numpy as np


def derive(seed: int, *names: object) -> int:
    """A seed in [0, 2**63) for the use named by `names`; equal names give equal seeds on every machine."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *names: object) -> np.random.Generator:
    """A numpy generator seeded by `derive`."""
    return np.random.default_rng(derive(seed, *names))

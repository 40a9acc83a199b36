"""Whether an app answers alike alone and in company, to the last bit."""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Arrays, Raw
from lepton.runtime.app import MAX_BATCH, App

_SIZES = (2, 3, 5, 8, MAX_BATCH)
"""Matrix kernels change with the number of rows; these are met by some other one each."""


def exact(app: App, raws: Sequence[Raw]) -> bool:
    """Whether no graph's output for any of the `raws` changes by a bit when copies of it run together.

    Kernels for one row and for many may add in another order, recurrent ones among them. Such an app is to run one
    sample at a time, so that nobody's answer depends on who asks beside.
    """
    return all(_is_exact(app, app.encode(raw)) for raw in raws)


def _is_exact(app: App, sample: Arrays) -> bool:
    alone = app.run(app.collate([sample]))
    return all(_equal(alone, app.run(app.collate([sample] * size)), size) for size in _SIZES)


def _equal(alone: Arrays, together: Arrays, size: int) -> bool:
    return all(np.array_equal(np.repeat(alone[name], size, axis=0), together[name]) for name in alone)

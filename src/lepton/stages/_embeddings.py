"""What a pretrained encoder says of records: features that know the language, or the look of things, before any label.

Apart from `_features`, which need no torch. Shapes: N records, D features.
"""

from collections.abc import Sequence

import numpy as np
from torch import nn

from lepton.core import plugins
from lepton.core.types import Record
from lepton.stages import _encoded, _features, _model


def embeddings(records: Sequence[Record], hub: str, task: str) -> np.ndarray:
    """The mean states of a frozen hub model, rows of length 1, float32 (N, D). Raises UserError as `models.hub`."""
    family = plugins.load("models", "hub")
    name, given = family.transform({"hub": hub})
    fitted = _encoded.fit({"name": name, **given}, records)
    samples = _encoded.encode(records, _encoded.encoder(name, fitted))
    transform = plugins.load("transforms", name)
    more = {"outputs": 1, "vocabulary": int(fitted.settings.get("vocabulary", 0)), "task": task}
    shape = _model.shape_of(samples, transform.INPUTS, more)
    scaling = family.scaling({"hub": hub}, (sample[transform.INPUTS[0]] for sample in samples))
    network = _model.build({"name": "hub", "hub": hub}, shape, scaling)
    network.body.head = nn.Identity()
    run = _model.TorchRun(network.eval(), transform.INPUTS)
    states = np.zeros((len(samples), 0), np.float32)
    for chosen, batch in _model.batches(samples, transform.collate):
        found = run(batch)["logits"]
        states = states if states.shape[1] else np.zeros((len(samples), found.shape[1]), np.float32)
        states[chosen] = found
    return _features.unit(states)

"""Volumes before models: what kind they are, which cannot be decoded, and which labels are doubtful."""

import numpy as np
import pytest

from lepton.core.types import Record
from lepton.stages import _features, _out_of_fold, _usable

pytest.importorskip("nibabel")


@pytest.fixture
def labelled(nii):
    """Records of two classes of bodies: a ball that lies in the front or in the back."""
    random = np.random.default_rng(0)
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in (16, 16, 6)], indexing="ij")

    def make(at, label):
        y = (0.4 if label == "front" else -0.4) + random.normal(0, 0.1)
        ball = (axes[0] ** 2 + (axes[1] - y) ** 2 + axes[2] ** 2 < 0.3) * 500.0
        return Record(str(at), nii((ball + random.normal(0, 20, ball.shape)).astype(np.int16)), label)

    return [make(at, "front" if at % 2 else "back") for at in range(40)]


def test_volumes_are_known_and_broken_ones_named(labelled):
    broken = Record("broken", labelled[0].raw[:400], "back")
    assert _usable.modality([broken, *labelled]) == "volume"
    (bad,) = _usable.unreadable([broken, *labelled], "volume")
    assert bad.id == "broken"
    assert "cut off" in bad.reason


def test_features_part_what_differs(labelled):
    rows = _features.bodies(labelled, 0)
    assert len(rows) == 40
    back, front = rows[::2], rows[1::2]
    between = np.linalg.norm(back.mean(axis=0) - front.mean(axis=0))
    assert between > np.linalg.norm(back - back.mean(axis=0), axis=1).mean()


def test_wrong_labels_of_volumes_are_the_least_likely(labelled):
    wrong = {3, 8, 20}
    swap = {"front": "back", "back": "front"}
    records = [
        Record(record.id, record.raw, swap[str(record.label)] if at in wrong else record.label)
        for at, record in enumerate(labelled)
    ]
    found = _out_of_fold.predictions(records, _out_of_fold.Asked(minutes=1)).predictions
    assert found is not None
    own = found.probabilities[np.arange(len(records)), found.given]
    assert set(np.argsort(own)[:3].tolist()) == wrong

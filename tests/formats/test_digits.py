import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton.core.errors import UserError
from lepton.formats import digits


def test_the_same_digits_as_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    truth = datasets.load_digits()
    records = digits.read(Path("digits")).records
    assert len(records) == 1797
    assert [record.label for record in records] == [str(label) for label in truth.target]
    pixels = np.asarray(Image.open(io.BytesIO(records[17].raw)))
    assert np.array_equal(np.rint(pixels / 255 * 16), truth.images[17])
    assert records[17].id == "digits#17"


def test_a_folder_of_that_name_is_not_it(tmp_path):
    (tmp_path / "digits").mkdir()
    assert not digits.sniff(tmp_path / "digits")
    with pytest.raises(UserError, match="have no path"):
        digits.read(tmp_path / "digits")

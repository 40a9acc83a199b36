import io

import numpy as np
import pytest
from PIL import Image

from lepton.core.errors import UserError
from lepton.formats import medmnist


def pack(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


GREY = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([[1], [0]], np.uint8)


def test_splits_and_pixels(put, tmp_path):
    parts = {
        f"{part}_{kind}": array
        for part in ("train", "val", "test")
        for kind, array in (("images", GREY), ("labels", LABELS))
    }
    path = put("x.npz", pack(**parts))
    assert medmnist.sniff(path)
    assert medmnist.sniff(tmp_path)
    records = medmnist.read(tmp_path).records
    assert [record.split for record in records] == ["train", "train", "validation", "validation", "test", "test"]
    assert (records[3].id, records[3].label) == ("x.npz#validation/1", "0")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(records[3].raw))), GREY[1])


def test_colour_and_the_layout_of_keras(put):
    colour = np.zeros((2, 3, 4, 3), np.uint8)
    path = put("mnist.npz", pack(x_train=colour, y_train=np.array([5, 6])))
    records = medmnist.read(path).records
    assert [(record.label, record.split) for record in records] == [("5", None), ("6", None)]
    assert Image.open(io.BytesIO(records[0].raw)).mode == "RGB"


@pytest.mark.parametrize(
    "arrays",
    [
        {"train_images": GREY, "train_labels": np.zeros((2, 14), int)},
        {"train_images": GREY.astype(float), "train_labels": LABELS},
        {"train_images": GREY, "train_labels": LABELS[:1]},
        {"train_images": np.zeros((2, 3, 4, 5), np.uint8), "train_labels": LABELS},
        {"train_images": GREY, "train_labels": LABELS.astype(object)},
        {"other": GREY},
    ],
)
def test_other_arrays_are_refused(put, arrays):
    with pytest.raises(UserError, match="no .npz file of images"):
        medmnist.read(put("x.npz", pack(**arrays)))


def test_pneumonia(real):
    reading = medmnist.read(real("pneumonia-mnist"))
    counts = [sum(record.split == split for record in reading.records) for split in ("train", "validation", "test")]
    assert counts == [3882, 524, 624]
    assert {record.label for record in reading.records} == {"0", "1"}

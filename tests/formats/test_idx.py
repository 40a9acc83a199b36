import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lepton.core.errors import UserError
from lepton.formats import idx as idx_format

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def write(put, idx, part="train", packed=True, folder=""):
    end = ".gz" if packed else ""
    put(f"{folder}{part}-images-idx3-ubyte{end}", idx(IMAGES, packed))
    put(f"{folder}{part}-labels-idx1-ubyte{end}", idx([7, 3], packed))


@pytest.mark.parametrize("packed", [True, False])
def test_pixels_and_labels(put, tmp_path, idx, packed):
    write(put, idx, "t10k", packed)
    assert idx_format.sniff(tmp_path)
    first, second = idx_format.read(tmp_path).records
    assert second.id == f"t10k-images-idx3-ubyte{'.gz' if packed else ''}#1"
    assert (first.label, second.label, first.split) == ("7", "3", None)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(second.raw))), IMAGES[1])


def test_two_pairs_are_splits(put, tmp_path, idx):
    write(put, idx, "t10k")
    write(put, idx, "train")
    assert [record.split for record in idx_format.read(tmp_path).records] == ["train", "train", "test", "test"]


def test_the_place_where_torchvision_puts_them(put, tmp_path, idx):
    write(put, idx, "train", folder="MNIST/raw/")
    assert idx_format.read(tmp_path).records[0].id == "MNIST/raw/train-images-idx3-ubyte.gz#0"


def test_a_file_alone_finds_its_labels(put, tmp_path, idx):
    write(put, idx)
    assert len(idx_format.read(tmp_path / "train-images-idx3-ubyte.gz").records) == 2
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="no file of labels"):
        idx_format.read(tmp_path)


def test_packed_and_plain_of_one_name_are_read_once(put, tmp_path, idx):
    write(put, idx, packed=True)
    write(put, idx, packed=False)
    reading = idx_format.read(tmp_path)
    assert len(reading.records) == 2
    assert "left aside" in reading.notes[0]


def test_two_sets_in_one_folder_are_not_mixed(put, tmp_path, idx):
    write(put, idx, "emnist-letters-train")
    write(put, idx, "emnist-digits-train")
    with pytest.raises(UserError, match="several files"):
        idx_format.read(tmp_path)


@settings(max_examples=60)
@given(st.binary(max_size=40))
def test_any_bytes_are_an_array_or_the_users_mistake(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("idx") / "x-idx1-ubyte"
    path.write_bytes(data)
    try:
        assert idx_format._array(path).size
    except UserError:
        return


def test_mnist(real):
    reading = idx_format.read(real("mnist-10k"))
    assert len(reading.records) == 10_000
    assert {record.split for record in reading.records} == {None}
    assert reading.records[1234].id == "t10k-images-idx3-ubyte.gz#1234"
    assert [record.label for record in reading.records[:5]] == ["7", "2", "1", "0", "4"]
    assert Image.open(io.BytesIO(reading.records[0].raw)).size == (28, 28)

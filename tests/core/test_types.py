import io
import zipfile

import pytest

from lepton.core.types import Files, Record


@pytest.fixture
def two(tmp_path):
    paths = (tmp_path / "b" / "1", tmp_path / "a" / "1")
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode() * 3)
    return Files(paths)


def test_several_files_are_read_as_one_zip_in_their_order(two):
    with zipfile.ZipFile(io.BytesIO(Record("a/1", two, None).read())) as archive:
        assert [(item.filename, archive.read(item)) for item in archive.infolist()] == [
            ("0/1", b"bbb"),
            ("1/1", b"aaa"),
        ]


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(two):
    before = two.read_bytes()
    two.paths[0].write_bytes(b"bbb")
    assert two.read_bytes() == before
    assert str(two) == f"{two.paths[0]} and 1 more"

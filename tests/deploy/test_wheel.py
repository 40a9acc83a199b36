import base64
import csv
import hashlib
import io
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

import pytest

import lepton
from lepton.deploy._wheel import wheel


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(wheel()[1]))


def test_it_holds_the_package_as_it_runs(archive: zipfile.ZipFile) -> None:
    root = Path(str(lepton.__file__)).parent
    sources = {path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    packed = {name for name in archive.namelist() if name.startswith("lepton/")}
    assert packed == {f"lepton/{path.relative_to(root).as_posix()}" for path in sources}
    assert len(packed) > 100
    assert archive.read("lepton/__init__.py") == (root / "__init__.py").read_bytes()


def test_it_is_a_wheel_by_its_own_word(archive: zipfile.ZipFile) -> None:
    name = wheel()[0]
    info = f"lepton_transfer-{version('lepton-transfer')}.dist-info"
    assert name == f"lepton_transfer-{version('lepton-transfer')}-py3-none-any.whl"
    about = Parser().parsestr(archive.read(f"{info}/WHEEL").decode())
    assert (about["Wheel-Version"], about["Tag"], about["Root-Is-Purelib"]) == ("1.0", "py3-none-any", "true")
    assert Parser().parsestr(archive.read(f"{info}/METADATA").decode())["Name"] == "lepton-transfer"
    assert b"lepton.cli.__main__:main" in archive.read(f"{info}/entry_points.txt")


def test_its_record_is_true_of_every_file(archive: zipfile.ZipFile) -> None:
    (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
    rows = {name: (digest, size) for name, digest, size in csv.reader(archive.read(record).decode().splitlines())}
    assert set(rows) == set(archive.namelist())
    assert rows.pop(record) == ("", "")
    for name, (digest, size) in rows.items():
        data = archive.read(name)
        found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, int(size)) == (f"sha256={found}", len(data))


def test_equal_files_give_equal_bytes() -> None:
    assert wheel() == wheel()

"""Makers of tiny data sets."""

import gzip
import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from lepton.core.types import Record

# How long an example takes says how busy the machine is.
settings.register_profile("formats", deadline=None)
settings.load_profile("formats")

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def real():
    """The folder of a real data set; skips where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is not at {DATA}")
        return path

    return find


@pytest.fixture
def put(tmp_path):
    """Write a file under the temporary folder: put("a/b.csv", text or bytes) -> path."""

    def write(name: str, data: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


@pytest.fixture
def png():
    """Bytes of a small image: png(value, size=(w, h), mode)."""

    def make(value=0, size=(4, 3), mode="L", kind="PNG"):
        stream = io.BytesIO()
        Image.new(mode, size, value).save(stream, kind)
        return stream.getvalue()

    return make


@pytest.fixture
def wav():
    """Bytes of a small recording of 16-bit samples."""

    def make(value=0, count=80, rate=8000):
        stream = io.BytesIO()
        with wave.open(stream, "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(np.full(count, value, "<i2").tobytes())
        return stream.getvalue()

    return make


@pytest.fixture
def idx():
    """Bytes of an IDX file of an array of uint8, by the definition of the format."""

    def make(array, packed=False):
        array = np.asarray(array, np.uint8)
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        data = header + array.tobytes()
        return gzip.compress(data) if packed else data

    return make


@pytest.fixture
def boxed(tmp_path, png):
    """A record of a picture of 40 x 30 with these boxes: boxed("a", boxes, split)."""

    def make(name, boxes, split=None):
        path = tmp_path / "pictures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(size=(40, 30)))
        return Record(f"{name}.png", path, boxes, split)

    return make

"""Makers of records."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton.core.types import Record

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
def texts():
    """Records of (text, label, split) with their place as the id."""

    def make(*items):
        return [Record(str(at), *item) for at, item in enumerate(items)]

    return make


@pytest.fixture
def picture():
    """Encoded bytes of an array, by Pillow."""

    def make(pixels, kind="PNG", **options):
        stream = io.BytesIO()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, kind, **options)
        return stream.getvalue()

    return make

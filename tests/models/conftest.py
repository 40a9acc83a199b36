"""What tests of models share."""

from pathlib import Path

import pytest
from made_graphs import Made, writer


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Write a graph of (operator, inputs, outputs, attributes) and give its path."""
    return writer(tmp_path)

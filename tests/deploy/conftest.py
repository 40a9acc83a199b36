import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from lepton.bundle import manifest
from lepton.bundle.manifest import Bundle

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
HEAVY = ["torch", "transformers", "sklearn", "onnx", "scipy", "pandas", "safetensors"]
BLOCKED = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Block())
from lepton.cli.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def image_app() -> Bundle:
    return manifest.read(APPS / "image-classification")


@pytest.fixture
def text_app() -> Bundle:
    return manifest.read(APPS / "text-classification")


@pytest.fixture
def audio_app() -> Bundle:
    return manifest.read(APPS / "audio-classification")


@pytest.fixture
def changed(image_app: Bundle) -> Callable[..., Bundle]:
    """The image app as another one would be whose manifest says something else."""

    def change(**fields: Any) -> Bundle:
        return Bundle(image_app.folder, image_app.id, msgspec.structs.replace(image_app.manifest, **fields))

    return change


@pytest.fixture
def parsed() -> Callable[..., dict[str, Any]]:
    """The YAML files of a deployment by their stems."""
    return lambda made: {
        name.removesuffix(".yaml"): yaml.safe_load(data) for name, data in made.files.items() if name.endswith(".yaml")
    }


@pytest.fixture
def without_torch() -> list[str]:
    """How `lepton` is started with the research libraries made unimportable."""
    return [sys.executable, "-c", BLOCKED]

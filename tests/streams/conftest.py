"""A small app of every kind, and a process that dies between an answer and its acknowledgement."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lepton.runtime.app import App, load

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
DYING = """
import importlib, os, sys
module, left = importlib.import_module(f"lepton.streams.{sys.argv[1]}"), int(sys.argv[2])
done = module._Source.done
def dying(self, item):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    done(self, item)
module._Source.done = dying
from lepton.cli.__main__ import main
sys.exit(main(["stream", *sys.argv[3:]]))
"""


@pytest.fixture(scope="session")
def text_app() -> App:
    return load(APPS / "text-classification")


@pytest.fixture(scope="session")
def audio_app() -> App:
    return load(APPS / "audio-classification")


@pytest.fixture
def die() -> Callable[..., None]:
    """Run `lepton stream` on the text app until it is killed before it acknowledges the answer number `after`."""

    def run(plugin: str, after: int, *arguments: str) -> None:
        command = [sys.executable, "-c", DYING, plugin, str(after), str(APPS / "text-classification"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == -9, done.stderr

    return run

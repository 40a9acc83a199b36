"""Raw inputs to try an app with: its golden ones, else made-up ones of its modality."""

import io
import wave
from collections.abc import Callable

import numpy as np

from lepton.bundle import golden
from lepton.core.errors import UserError
from lepton.core.seeds import generator
from lepton.core.types import Raw
from lepton.runtime.app import App

_TEXT = "The second train to the coast was late again, so we walked home along the river. 第二班火车又晚点了。"


def samples(app: App) -> tuple[list[Raw], str]:
    """Raw inputs for `app`, and whether they are "golden" or "synthetic"."""
    found = [raw for raw, _ in golden.read(app.bundle)]
    return (found, "golden") if found else (synthetic(app.modality), "synthetic")


def synthetic(modality: str, *, count: int = 8) -> list[Raw]:
    """`count` made-up raw inputs: 64x64 noise as PNG, one second of quiet noise at 16 kHz as WAV, or sentences."""
    if modality not in _MAKERS:
        remedy = "Give inputs of your own with --input"
        raise UserError(f"No inputs can be made up for {modality}", rule=f"Known: {', '.join(_MAKERS)}", remedy=remedy)
    return [_MAKERS[modality](generator(0, "synthetic", index)) for index in range(count)]


def _image(random: np.random.Generator) -> Raw:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _audio(random: np.random.Generator) -> Raw:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(random.normal(0, 1000, 16_000).astype("<i2").tobytes())
    return stream.getvalue()


def _text(random: np.random.Generator) -> Raw:
    words = _TEXT.split()
    return " ".join(words[: int(random.integers(4, len(words)))])


_MAKERS: dict[str, Callable[[np.random.Generator], Raw]] = {"image": _image, "text": _text, "audio": _audio}

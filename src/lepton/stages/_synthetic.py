"""Inputs made up from a seed, for golden answers that carry nobody's data."""

import io
import wave
from collections.abc import Callable

import numpy as np
from PIL import Image

from lepton.core import seeds
from lepton.core.types import Raw

_WORDS = ("the", "a", "my", "card", "train", "price", "name", "city", "rises", "opens", "when", "where", "how", "new")


def inputs(modality: str, *, count: int, seed: int) -> list[Raw]:
    """`count` made-up raw inputs of the modality: smooth pictures (PNG), sweeps (WAV), or sentences of common words."""
    makers: dict[str, Callable[[np.random.Generator], Raw]] = {"image": _picture, "audio": _sweep, "text": _sentence}
    make = makers[modality]
    return [make(seeds.generator(seed, "synthetic", index)) for index in range(count)]


def _picture(random: np.random.Generator) -> bytes:
    small = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
    stream = io.BytesIO()
    small.resize((96, 96), Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


def _sweep(random: np.random.Generator) -> bytes:
    """Half a second of a tone that glides between two pitches, 16 kHz, 16 bit."""
    low, high = np.sort(random.uniform(150, 3000, 2))
    time = np.arange(8000) / 16_000
    sound = 0.4 * np.sin(2 * np.pi * (low + (high - low) * time) * time)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes((sound * 32767).astype("<i2").tobytes())
    return stream.getvalue()


def _sentence(random: np.random.Generator) -> str:
    return " ".join(random.choice(_WORDS, random.integers(4, 12)))

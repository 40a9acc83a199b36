"""Changes that make a copy of a picture, a text or a recording: from raw to raw, by a random generator's dice."""

import io
import string
from collections.abc import Callable, Mapping

import numpy as np
import soundfile
from PIL import Image, ImageEnhance, ImageOps
from scipy.signal import resample_poly

from lepton.core.types import Raw

Dice = np.random.Generator
Change = Callable[[Raw, Dice], Raw]


def _picture(change: Callable[[Image.Image, Dice], Image.Image]) -> Change:
    """A change of pixels, saved without loss."""

    def changed(raw: Raw, dice: Dice) -> Raw:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(_bytes(raw))))
        return _saved(change(image if image.mode in ("L", "RGB") else image.convert("RGB"), dice), "PNG")

    return changed


def _jpeg(quality: int) -> Change:
    def changed(raw: Raw, dice: Dice) -> Raw:
        return _saved(ImageOps.exif_transpose(Image.open(io.BytesIO(_bytes(raw)))), "JPEG", quality=quality)

    return changed


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _bytes(raw: Raw) -> bytes:
    if isinstance(raw, str):
        raise TypeError("media are bytes")
    return raw


def _brightness(factor: float) -> Callable[[Image.Image, Dice], Image.Image]:
    return lambda image, dice: ImageEnhance.Brightness(image).enhance(factor)


def _moved(fill: bool) -> Callable[[Image.Image, Dice], Image.Image]:
    """By one pixel in one of eight directions; what comes in is black, or what went out on the other side."""

    def moved(image: Image.Image, dice: Dice) -> Image.Image:
        x, y = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y][dice.integers(8)]
        pixels = np.roll(np.asarray(image), (y, x), (0, 1))
        for axis, step in ((0, y), (1, x)):
            if fill and step:
                np.swapaxes(pixels, 0, axis)[0 if step > 0 else -1] = 0
        return Image.fromarray(pixels)

    return moved


def _cut(most: float, *, back: bool) -> Callable[[Image.Image, Dice], Image.Image]:
    """Up to `most` of each side, and back to the old size if so."""

    def cut(image: Image.Image, dice: Dice) -> Image.Image:
        width, height = image.size
        left, top, right, bottom = dice.uniform(0, most, 4)
        box = (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
        part = image.crop(box)
        return part.resize(image.size, Image.Resampling.BICUBIC) if back else part

    return cut


def _smaller(image: Image.Image, dice: Dice) -> Image.Image:
    return image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC)


def _again(image: Image.Image, dice: Dice) -> Image.Image:
    return image


PICTURES: Mapping[str, Change] = {
    "a copy": lambda raw, dice: raw,
    "saved as PNG": _picture(_again),
    "JPEG, quality 90": _jpeg(90),
    "JPEG, quality 75": _jpeg(75),
    "JPEG, quality 50": _jpeg(50),
    "brightness x 0.7": _picture(_brightness(0.7)),
    "brightness x 1.2": _picture(_brightness(1.2)),
    "brightness x 1.4": _picture(_brightness(1.4)),
    "mirrored": _picture(lambda image, dice: ImageOps.mirror(image)),
    "upside down": _picture(lambda image, dice: ImageOps.flip(image)),
    "moved by a pixel, black": _picture(_moved(fill=True)),
    "moved by a pixel, rolled": _picture(_moved(fill=False)),
    "cut by up to 10 % a side": _picture(_cut(0.1, back=False)),
    "the same, enlarged": _picture(_cut(0.1, back=True)),
    "three quarters of the size": _picture(_smaller),
}


def _text(change: Callable[[str, Dice], str]) -> Change:
    return lambda raw, dice: change(str(raw), dice)


def _cased(text: str, dice: Dice) -> str:
    return [text.upper(), text.lower(), text.title(), text.swapcase()][dice.integers(4)]


def _spaced(text: str, dice: Dice) -> str:
    space = ["  ", "\t", " \n", "\u00a0"][dice.integers(4)]
    return f" {text.replace(' ', space)} "


def _punctuated(text: str, dice: Dice) -> str:
    """Without its punctuation, or with other marks behind some words."""
    bare = text.translate(str.maketrans("", "", string.punctuation))
    if dice.integers(2):
        return bare
    words = text.split(" ")
    return " ".join(word + ["", "", ",", "!", " -", "...", ";"][dice.integers(7)] for word in words)


TEXTS: Mapping[str, Change] = {
    "a copy": lambda raw, dice: raw,
    "with spaces around": _text(lambda text, dice: f"  {text}\n"),
    "re-cased": _text(_cased),
    "re-spaced": _text(_spaced),
    "re-punctuated": _text(_punctuated),
    "all three": _text(lambda text, dice: _cased(_spaced(_punctuated(text, dice), dice), dice)),
}


def _sound(change: Callable[[np.ndarray, int, Dice], tuple[np.ndarray, int]], **options: str) -> Change:
    """A change of samples (N,) and their rate, saved as 16-bit WAV unless `options` say otherwise."""

    def changed(raw: Raw, dice: Dice) -> Raw:
        samples, rate = soundfile.read(io.BytesIO(_bytes(raw)), dtype="float64", always_2d=True)
        made, new_rate = change(samples.mean(axis=1), rate, dice)
        stream = io.BytesIO()
        soundfile.write(stream, np.clip(made, -1, 1), new_rate, **{"format": "WAV", **options})
        return stream.getvalue()

    return changed


def _noisy(decibels: float) -> Callable[[np.ndarray, int, Dice], tuple[np.ndarray, int]]:
    """White noise, so many dB below the recording's mean power."""

    def noisy(samples: np.ndarray, rate: int, dice: Dice) -> tuple[np.ndarray, int]:
        level = np.sqrt((samples**2).mean()) * 10 ** (-decibels / 20)
        return samples + level * dice.normal(size=len(samples)), rate

    return noisy


def _later(samples: np.ndarray, rate: int, dice: Dice) -> tuple[np.ndarray, int]:
    return np.concatenate([np.zeros(dice.integers(1, rate // 4)), samples]), rate


def _cut_off(samples: np.ndarray, rate: int, dice: Dice) -> tuple[np.ndarray, int]:
    """Up to 10 % at each end."""
    start, end = dice.integers(0, max(1, len(samples) // 10), 2)
    return samples[start : len(samples) - end], rate


def _at(up: int, down: int) -> Callable[[np.ndarray, int, Dice], tuple[np.ndarray, int]]:
    return lambda samples, rate, dice: (resample_poly(samples, up, down), rate * up // down)


SOUNDS: Mapping[str, Change] = {
    "a copy": lambda raw, dice: raw,
    "saved as FLAC": _sound(lambda samples, rate, dice: (samples, rate), format="FLAC"),
    "gain -10 dB": _sound(lambda samples, rate, dice: (samples * 0.32, rate)),
    "gain +6 dB, clipped": _sound(lambda samples, rate, dice: (samples * 2, rate)),
    "noise at 30 dB": _sound(_noisy(30)),
    "noise at 20 dB": _sound(_noisy(20)),
    "noise at 10 dB": _sound(_noisy(10)),
    "silence before": _sound(_later),
    "cut by up to 10 % an end": _sound(_cut_off),
    "constant offset": _sound(lambda samples, rate, dice: (samples + 0.05, rate)),
    "twice the rate": _sound(_at(2, 1)),
    "rate x 441 / 320": _sound(_at(441, 320)),
    "three quarters of the rate": _sound(_at(3, 4)),
    "half the rate": _sound(_at(1, 2)),
    "Ogg Vorbis": _sound(lambda samples, rate, dice: (samples, rate), format="OGG", subtype="VORBIS"),
}

"""Records parted into slices: by what can be measured of a raw input, and by the fields that records carry."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np

from lepton.core import machine
from lepton.core.types import Raw, Record
from lepton.tasks._classification import in_order
from lepton.transforms import image, logmel, tokens

_SILENCE = 1e-6  # of full scale, -120 dBFS: quieter recordings count as this loud
_MOST = 20
_LEAST = 5


@dataclass(frozen=True, slots=True)
class Cut:
    """One way of parting N records: what it goes by, the slice of each record or None (N,), and the slices in order."""

    name: str
    values: Sequence[str | None]
    names: Sequence[str]


class Property(NamedTuple):
    """Something measured of a raw input: its name, its unit, and how a value is written."""

    name: str
    unit: str
    form: str = "{:,.0f}"


def properties(records: Sequence[Record], modality: str) -> list[Cut]:
    """The records cut at the terciles of each property of their raw inputs that varies, from low to high.

    Texts have a length, images a brightness and a side (the shorter one), recordings a loudness and a duration. A
    slice is named by what it holds: "length 34 to 61". Every raw input is decoded once more, on every core.
    """
    known, measure = _MEASURES[modality]
    with ThreadPoolExecutor(machine.cores()) as pool:
        table = list(pool.map(lambda record: measure(record.read()), records))
    columns = np.array(table, np.float64).reshape(len(records), len(known)).T
    cuts = [_terciles(each, values) for each, values in zip(known, columns, strict=True)]
    return [cut for cut in cuts if len(cut.names) > 1]


def fields(records: Sequence[Record]) -> list[Cut]:
    """The records parted by each field in which 2 to 20 values have at least 5 records each.

    Records with rarer values count for nothing. A field that is the label itself is left out.
    """
    names = dict.fromkeys(name for record in records for name in record.fields)
    columns = {name: [record.fields.get(name) for record in records] for name in names}
    labels = [record.label for record in records]
    cuts = [_field(name, values) for name, values in columns.items() if values != labels]
    return [cut for cut in cuts if 2 <= len(cut.names) <= _MOST]


def _field(name: str, values: Sequence[str | None]) -> Cut:
    often = in_order(value for value, count in Counter(values).items() if value and count >= _LEAST)
    return Cut(name, [value if value in often else None for value in values], often)


def _terciles(known: Property, values: np.ndarray) -> Cut:
    """Low, middle and high; equal values stay in one slice, so there may be fewer."""
    edges = np.quantile(values, [1 / 3, 2 / 3])
    third = np.searchsorted(edges, values)
    words = {index: _words(known, values[third == index]) for index in np.unique(third).tolist()}
    title = f"{known.name} ({known.unit})" if known.unit else known.name
    return Cut(title, [words[index] for index in third.tolist()], list(dict.fromkeys(words.values())))


def _words(known: Property, values: np.ndarray) -> str:
    """A slice's name: the property, and its smallest and largest value there."""
    ends = dict.fromkeys(known.form.format(end) for end in (values.min(), values.max()))
    return f"{known.name} {' to '.join(ends)}"


def _of_text(raw: Raw) -> tuple[float, ...]:
    return (float(len(tokens.decode(raw))),)


def _of_image(raw: Raw) -> tuple[float, ...]:
    # The app has answered these records, so they keep the limit of its own settings, whatever that is.
    pixels = image.decode(raw, max_pixels=image.MAX_SIDE**2)
    return float(pixels.mean()) / 255, float(min(pixels.shape[:2]))


def _of_sound(raw: Raw) -> tuple[float, ...]:
    signal, rate = logmel.decode(raw, max_seconds=inf)
    level = float(np.sqrt(np.square(signal, dtype=np.float64).mean()))
    return 20 * float(np.log10(max(level, _SILENCE))), len(signal) / rate


_MEASURES: dict[str, tuple[Sequence[Property], Callable[[Raw], tuple[float, ...]]]] = {
    "text": ([Property("length", "characters")], _of_text),
    "image": ([Property("brightness", "0 to 1", "{:.2f}"), Property("side", "pixels")], _of_image),
    "audio": ([Property("loudness", "dBFS", "{:.1f}"), Property("duration", "s", "{:.2f}")], _of_sound),
}

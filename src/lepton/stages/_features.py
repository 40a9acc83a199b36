"""Features that simple models judge records by: n-grams of texts, edges of images and volumes, bands of sounds.

None needs training, and none looks at labels. Shapes: N records, D features, H height, W width, T frames, M mel bands.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lepton.core import plugins, seeds
from lepton.core.types import Arrays, Record
from lepton.stages import _encoded, _words
from lepton.transforms._fitted import Encoder, Fitted

KEPT = 256
"""Dimensions that dense features are brought to: principal components say the same with less noise and memory."""

_BLOCK = 512
_LOOKED_AT = 3000
_GRAMS = 200_000
_FIRST = 3  # tokens that a text is said to begin with
_SHARE = 0.5
_NO_TOKEN = "_"
_LONGEST = 3000  # characters of a text that are looked at
_SIDE = 64  # the side that larger images are brought to
_BODY = (8, 48, 48)  # slices, rows and columns that volumes are brought to
_DIRECTIONS = 9
_CELLS = (7, 4, 2)  # an image's side in cells, at three scales
_SLICES = 8
_LOUD = 7.0  # 30 dB, in natural logarithms of power: what is further below the loudest band counts as silence


def grams(records: Sequence[Record]) -> Any:
    """TF-IDF weights of word and character n-grams as a sparse matrix (N, D)."""
    return _weights([str(record.raw) for record in records], {"vocabulary": _GRAMS})


def turns(records: Sequence[Record]) -> Any:
    """The same of how texts begin and of what their words look like, capitals and digits, which `grams` folds away."""
    tokens = [_words.tokens(str(record.raw)) for record in records]
    begun = [" ".join(each[:_FIRST]) or _NO_TOKEN for each in tokens]
    shapes = [" ".join(map(_words.shape, each)) or _NO_TOKEN for each in tokens]
    how = {"vocabulary": _GRAMS, "words": (1, 3), "characters": (0, 0)}
    return _stacked([_weights(begun, how), _weights(shapes, {**how, "lowercase": False})])


def beside(grams: Any, turns: Any) -> Any:
    """N-grams with `turns` beside them, which count for half: they tell a question's kind, and little of a topic."""
    return _stacked([grams, _SHARE * turns])


def _stacked(parts: Sequence[Any]) -> Any:
    from scipy.sparse import hstack

    return hstack(parts, format="csr")


def _weights(texts: Sequence[str], how: Mapping[str, Any]) -> Any:
    """The weights of `transforms.ngrams` as a sparse matrix (N, D), made in blocks to spare memory."""
    from scipy.sparse import vstack

    fitted = plugins.load("transforms", "ngrams").fit(texts, **how, max_characters=_LONGEST)
    encode = _encoded.encoder("ngrams", fitted)
    size = int(fitted.settings["vocabulary"])
    blocks = (texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK))
    return vstack([_matrix([encode(text) for text in block], size) for block in blocks], format="csr")


def _matrix(samples: Sequence[Arrays], size: int) -> Any:
    from scipy.sparse import csr_matrix

    ends = np.cumsum([0, *(len(sample["ngrams"]) for sample in samples)], dtype=np.int32)
    ids = np.concatenate([sample["ngrams"] for sample in samples]).astype(np.int32)
    weights = np.concatenate([sample["weights"] for sample in samples])
    return csr_matrix((weights, ids, ends), (len(samples), size), dtype=np.float32)


def topics(matrix: Any, seed: int) -> np.ndarray:
    """Rows of length 1, float32 (N, D), of a sparse matrix: latent semantic analysis (Deerwester et al., 1990)."""
    from sklearn.decomposition import TruncatedSVD

    count = min(KEPT, min(matrix.shape) - 1)
    svd = TruncatedSVD(count, n_iter=3, random_state=seeds.derive(seed, "topics") % 2**32)
    return unit(svd.fit_transform(matrix).astype(np.float32))


def looks(records: Sequence[Record], seed: int) -> np.ndarray:
    """Gradients at three scales, brightness in cells and colours of images: components, float32 (N, at most KEPT)."""
    fitted = _encoded.fit({"name": "image"}, records)
    if fitted.settings["size"] > _SIDE:
        fitted = Fitted({**fitted.settings, "size": _SIDE}, fitted.files)
    return _components(records, _encoded.encoder("image", fitted), _picture, seed=seed)


def sounds(records: Sequence[Record], seed: int) -> np.ndarray:
    """Bands of sounds in slices of time and how they vary: components, float32 (N, at most KEPT)."""
    fitted = _encoded.fit({"name": "logmel"}, records)
    return _components(records, _encoded.encoder("logmel", fitted), _sound, seed=seed)


def bodies(records: Sequence[Record], seed: int) -> np.ndarray:
    """Gradients of volumes seen from three sides, and means of their cells: components, float32 (N, at most KEPT)."""
    fitted = _encoded.fit({"name": "volume", "size": _BODY}, records)
    return _components(records, _encoded.encoder("volume", fitted), _body, seed=seed)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows (N, D) brought to length 1."""
    scaled: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return scaled


Parts = list[tuple[float, np.ndarray]]
"""Kinds of features of a few records, (N, D) each, with the share that a kind should have in a distance."""


def _components(
    records: Sequence[Record], encode: Encoder, describe: Callable[[Sequence[Arrays]], Parts], *, seed: int
) -> np.ndarray:
    """The principal components, float32 (N, at most KEPT), of what `describe` says; they are found on a sample."""
    picked = seeds.generator(seed, "components").permutation(len(records))[:_LOOKED_AT]
    seen = describe(_encoded.encode([records[at] for at in picked], encode))
    centres = [part.mean(axis=0) for _, part in seen]
    scales = [share / _spread(part) for share, part in seen]

    def scaled(parts: Parts) -> np.ndarray:
        pairs = zip(parts, centres, scales, strict=True)
        return np.concatenate([(part - centre) * scale for (_, part), centre, scale in pairs], axis=1)

    axes = _axes(scaled(seen))
    blocks = (records[start : start + _BLOCK] for start in range(0, len(records), _BLOCK))
    found = [scaled(describe(_encoded.encode(block, encode))) @ axes for block in blocks]
    return np.concatenate(found).astype(np.float32)


def _axes(rows: np.ndarray) -> np.ndarray:
    """The directions (D, at most KEPT) in which centred rows (N, D) differ most."""
    _, vectors = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    directions: np.ndarray = vectors[:, ::-1][:, :KEPT].astype(np.float32)
    return directions


def _spread(rows: np.ndarray) -> float:
    """The mean distance of rows from their centre, as the root of its square."""
    return float(np.sqrt(rows.var(axis=0).sum())) or 1.0


def _picture(samples: Sequence[Arrays]) -> Parts:
    images = np.stack([sample["image"] for sample in samples]).astype(np.float32) / 255
    layers = _directions(images.mean(axis=1))
    edges = [(1.0, _gradients(layers, count)) for count in _CELLS]
    cells = _cells(images, 8).reshape(len(images), -1)
    colours = [[np.histogram(channel, bins=16, range=(0, 1))[0] / channel.size for channel in each] for each in images]
    return [*edges, (0.5, cells), (0.5, np.array(colours, np.float32).reshape(len(images), -1))]


def _body(samples: Sequence[Arrays]) -> Parts:
    volumes = np.concatenate([sample["volume"] for sample in samples])
    sides = [_directions(volumes.mean(axis=axis)) for axis in (1, 2, 3)]
    edges = [(1.0, _gradients(layers, _CELLS[-1])) for layers in sides]
    return [*edges, (1.0, _cells(volumes, 8).reshape(len(volumes), -1))]


def _directions(grey: np.ndarray) -> np.ndarray:
    """The strength of the gradient in nine directions (N, 9, H, W), each shared between the two nearest."""
    down, right = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, right)
    angle = (np.arctan2(down, right) % np.pi) / np.pi * _DIRECTIONS
    near = [np.abs((angle - at + _DIRECTIONS / 2) % _DIRECTIONS - _DIRECTIONS / 2) for at in range(_DIRECTIONS)]
    return np.stack([strength * np.maximum(0, 1 - each) for each in near], axis=1)


def _gradients(layers: np.ndarray, count: int) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs, 2005) in `count` cells a side that overlap by half (N, D)."""
    half = _cells(layers, 2 * count)
    cells = np.sqrt(half[..., :-1, :-1] + half[..., 1:, :-1] + half[..., :-1, 1:] + half[..., 1:, 1:])
    usual = 0.1 * np.sqrt(layers.sum(axis=1).mean() + 1e-9)
    scaled: np.ndarray = cells / (np.linalg.norm(cells, axis=1, keepdims=True) + usual)
    return scaled.reshape(len(layers), -1)


def _cells(layers: np.ndarray, count: int) -> np.ndarray:
    """Means (N, C, at most count, at most count) over equal parts of the last two axes."""
    for axis in (2, 3):
        parts = np.array_split(layers, min(count, layers.shape[axis]), axis=axis)
        layers = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    return layers


def _sound(samples: Sequence[Arrays]) -> Parts:
    heard = [_heard(sample["features"]) for sample in samples]
    slices = [_slices(features) for features in heard]
    moves = [np.concatenate([each.std(axis=0), np.abs(np.diff(each, axis=0)).mean(axis=0)]) for each in heard]
    return [(1.0, np.stack(slices)), (0.5, np.stack(moves))]


def _heard(features: np.ndarray) -> np.ndarray:
    """The frames (T, M) from the first to the last that are not silent; two at least."""
    loudest = features.max(axis=1)
    loud = np.flatnonzero(loudest > loudest.max() - _LOUD)
    first, last = min(loud[0], len(features) - 2), loud[-1] + 1
    return features[first : max(last, first + 2)]


def _slices(features: np.ndarray) -> np.ndarray:
    """The mean bands of eight slices of time, one after the other; frames repeat where there are fewer."""
    places = np.linspace(0, len(features), _SLICES + 1)
    parts = [features[int(low) : max(int(high), int(low) + 1)] for low, high in zip(places, places[1:], strict=False)]
    return np.concatenate([part.mean(axis=0) for part in parts])

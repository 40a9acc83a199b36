"""What the transforms share: checking raw inputs, picking some of many, and stacking samples."""

from collections.abc import Iterable, Sequence

import numpy as np

from lepton.core.errors import BadInput, UserError
from lepton.core.types import Arrays, Raw


def text_of(raw: Raw) -> str:
    """The text of `raw`: a string as it is, bytes read as UTF-8 with or without a byte-order mark.

    Half a surrogate pair, which no encoding can carry, becomes U+FFFD, so that every character keeps its place.
    Raises BadInput for bytes that are not UTF-8 and for a text without any visible character.
    """
    text = raw if isinstance(raw, str) else _decoded(raw)
    if not text.strip():
        raise BadInput("The text is empty", rule="It must have at least one visible character", received=repr(text))
    return text if text.isascii() else _whole(text)


def bytes_of(raw: Raw, what: str) -> bytes:
    """The bytes of `raw`, which must be those of a file that holds `what` (an article and a noun).

    Raises BadInput for a string and for no bytes at all.
    """
    if isinstance(raw, str):
        remedy = "Read the file and pass its bytes"
        raise BadInput("The input is a text", rule=f"It must be the bytes of {what} file", received=raw, remedy=remedy)
    if not len(raw):
        raise BadInput("The input is empty", rule=f"It must be the bytes of {what} file", received="0 bytes")
    return bytes(raw)


def some(raws: Iterable[Raw], limit: int) -> list[Raw]:
    """At most `limit` of `raws`, evenly spread over their order; a sequence is read only where it is picked.

    Raises UserError when there is none.
    """
    known = raws if isinstance(raws, Sequence) else list(raws)
    if not len(known):
        raise UserError("There is no training input to fit the transform to", remedy="Check data.source and the split")
    count = min(limit, len(known))
    return [known[index * len(known) // count] for index in range(count)]


def stacked(samples: Sequence[Arrays]) -> Arrays:
    """Samples of equal shapes as one batch: each array gets a first axis."""
    if len(samples) == 1:
        return {name: np.array(array)[None] for name, array in samples[0].items()}  # decoders' arrays are read-only
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def padded(samples: Sequence[Arrays]) -> Arrays:
    """Samples of different lengths as one batch: first axes are filled up with 0 to the longest."""
    longest = max(len(next(iter(sample.values()))) for sample in samples)
    return {name: _padded([sample[name] for sample in samples], longest) for name in samples[0]}


def _padded(rows: Sequence[np.ndarray], longest: int) -> np.ndarray:
    out = np.zeros((len(rows), longest, *rows[0].shape[1:]), rows[0].dtype)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out


def _decoded(raw: bytes) -> str:
    try:
        return bytes(raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"Its bytes must be UTF-8; byte {error.start} is not"
        remedy = "Convert it, for instance with: iconv -f LATIN1 -t UTF-8"
        raise BadInput("The text cannot be read", rule=rule, received=raw[:40], remedy=remedy) from error


def _whole(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)

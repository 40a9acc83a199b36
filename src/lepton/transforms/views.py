"""Text seen in two ways at once: sub-word ids in their order, and weighted n-grams.

For models that read a sentence and also count what stands in it. Shapes: T tokens, N n-grams.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from lepton.core.settings import Range
from lepton.core.types import Arrays, Raw
from lepton.transforms import ngrams as counted
from lepton.transforms import tokens as read
from lepton.transforms._fitted import Encoder, Fitted
from lepton.transforms._raw import text_of

MODALITY = "text"
INPUTS = (*read.INPUTS, *counted.INPUTS)


def fit(
    raws: Iterable[Raw],
    *,
    vocabulary: Annotated[int, Range(100, 200_000)] = 8000,
    max_length: Annotated[int, Range(3, 100_000)] | None = None,
    lowercase: bool = True,
    kind: Literal["bpe", "wordpiece"] = "bpe",
    ngrams: Annotated[int, Range(2, 5_000_000)] = 300_000,
    words: Annotated[tuple[int, int], Range(0, 10)] = (1, 2),
    characters: Annotated[tuple[int, int], Range(0, 10)] = (2, 5),
    distinct: bool = False,
) -> Fitted:
    """Fit both transforms: `vocabulary`, `max_length` and `kind` are those of tokens, `ngrams` bounds the n-grams' ids.

    The other settings are those of ngrams; here rare n-grams are worth their room. Raises UserError as they do.
    """
    texts = list(raws)
    first = read.fit(texts, vocabulary=vocabulary, max_length=max_length, lowercase=lowercase, kind=kind)
    second = counted.fit(
        texts, vocabulary=ngrams, words=words, characters=characters, lowercase=lowercase, distinct=distinct
    )
    settings = {"tokens": dict(first.settings), "ngrams": dict(second.settings)}
    return Fitted({**settings, "vocabulary": first.settings["vocabulary"]}, {**first.files, **second.files})


def encoder(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Encoder:
    """A function from a text (or its bytes in UTF-8) to the arrays of both, and the tokens' offsets (T, 2).

    It raises BadInput for an empty text and for bytes that are not UTF-8.
    """
    first = read.encoder(settings["tokens"], files)
    second = counted.encoder(settings["ngrams"], files)

    def encode(raw: Raw) -> Arrays:
        text = text_of(raw)
        return {**first(text), **second(text)}

    return encode


def collate(samples: Sequence[Arrays]) -> Arrays:
    """A batch: tokens padded to the longest text, n-grams to the text with most of them."""
    ordered = [{name: sample[name] for name in sample if name not in counted.INPUTS} for sample in samples]
    bags = [{name: sample[name] for name in counted.INPUTS} for sample in samples]
    return {**read.collate(ordered), **counted.collate(bags)}


def decode(raw: Raw) -> str:
    """The text of a raw input; raises BadInput as the encoder does."""
    return text_of(raw)

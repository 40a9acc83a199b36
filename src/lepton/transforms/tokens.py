"""Text to sub-word ids with a tokenizer trained on the training texts, or a given one.

Shapes: T tokens, [CLS] and [SEP] included. Trained tokenizers take any script: text is brought to NFKC, split at
spaces and punctuation, and Chinese characters stand alone, as in BERT (Devlin et al., 2019); what is left is cut by
byte-pair merges (Sennrich et al., 2016), where an unknown letter costs no more than itself, or into word pieces
(Schuster and Nakajima, 2012), where it costs its word.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from tokenizers import Encoding, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.core.types import Arrays, Raw
from lepton.transforms._fitted import Encoder, Fitted
from lepton.transforms._raw import padded, some, text_of

MODALITY = "text"
INPUTS = ("input_ids", "attention_mask")

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
"""The special tokens of a trained tokenizer; their ids are 0 to 3."""

FILE = "tokenizer.json"
_LONGEST = 512
_MEASURED = 5000  # training texts that the length is taken from
_CHARACTERS_PER_TOKEN = 16  # text beyond this many characters a token is cut off before tokenising
_LONGEST_WORD = 200  # word pieces take time that grows with its square; longer ones are unknown


def fit(
    raws: Iterable[Raw],
    *,
    vocabulary: Annotated[int, Range(100, 200_000)] = 8000,
    max_length: Annotated[int, Range(3, 100_000)] | None = None,
    lowercase: bool = True,
    kind: Literal["bpe", "wordpiece"] = "bpe",
    tokenizer: str | None = None,
) -> Fitted:
    """Train a tokenizer on the texts; equal texts in equal order give equal bytes.

    `vocabulary` is an upper bound: pieces seen once are not learned. `max_length` in tokens, left open, is the 99th
    percentile of the training texts, a multiple of 8, at most 512; longer texts are cut, and of no text are more than
    16 characters a token read (`max_characters`). `tokenizer` is the path of a tokenizer.json, or of a folder with one,
    that is taken as it is; then only the length is fitted. Raises UserError when that cannot be read.
    """
    texts = raws if isinstance(raws, Sequence) else list(raws)
    made = load(Path(tokenizer)) if tokenizer else _train(texts, vocabulary, (lowercase, kind))
    length = max_length or _length(made, [text_of(raw) for raw in some(texts, _MEASURED)])
    settings = {
        "vocabulary": max(made.get_vocab(with_added_tokens=True).values()) + 1,
        "max_length": length,
        "max_characters": length * _CHARACTERS_PER_TOKEN,
        "padding": _padding(made),
    }
    return Fitted(settings, {FILE: made.to_str(pretty=False).encode()})


def encoder(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Encoder:
    """A function from a text (or its bytes in UTF-8) to input_ids and attention_mask, int64 (T,), and offsets (T, 2).

    `offsets` are the characters of the text that a token stands for, without spaces around it; (0, 0) for special
    tokens. They do not enter the graph. It raises BadInput for an empty text and for bytes that are not UTF-8.
    """
    made = Tokenizer.from_str(files[FILE].decode())
    made.no_padding()
    made.enable_truncation(settings["max_length"])
    limit = settings["max_characters"]

    def encode(raw: Raw) -> Arrays:
        text = text_of(raw)[:limit]
        found = made.encode(text)
        ids = np.array(found.ids, np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "offsets": _offsets(text, found)}

    return encode


def collate(samples: Sequence[Arrays]) -> Arrays:
    """A batch as long as its longest text; where a shorter one ends the mask is 0, and so are ids and offsets.

    A tokenizer whose padding is not id 0 loses nothing by it: positions behind the mask have no say.
    """
    return padded(samples)


def decode(raw: Raw) -> str:
    """The text of a raw input; raises BadInput as the encoder does."""
    return text_of(raw)


def load(path: Path) -> Tokenizer:
    """Read a tokenizer.json, or the one in a folder. Raises UserError when there is none or it is something else."""
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"There is no tokenizer at {path}", rule=f"It must be a {FILE} or a folder with one")
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # noqa: BLE001 - tokenizers raises bare Exception for every fault in the file
        raise UserError(f"{file} is not a tokenizer", rule=str(error)) from error


def _train(texts: Sequence[Raw], vocabulary: int, how: tuple[bool, str]) -> Tokenizer:
    """Train with `tokenizers` and rebuild the result with only the true special tokens."""
    lowercase, kind = how
    blank = _around(models.WordPiece() if kind == "wordpiece" else models.BPE(), lowercase)
    alphabet = _alphabet(blank, texts, vocabulary // 3)
    # The trainer numbers continuing letters in the order of a hash map, which changes from run to run, and breaks ties
    # by these numbers. Letters that come as special tokens are numbered by us.
    numbered = [*SPECIALS, *(f"##{letter}" for letter in alphabet)]
    blank.train_from_iterator((text_of(raw) for raw in texts), _trainer(kind, vocabulary, (numbered, alphabet)))
    model = json.loads(blank.to_str())["model"]
    made = _around(_model(kind, model), lowercase)
    made.add_special_tokens(list(SPECIALS))
    return made


def _trainer(kind: str, vocabulary: int, tokens: tuple[list[str], list[str]]) -> Any:
    numbered, alphabet = tokens
    trainer = trainers.WordPieceTrainer if kind == "wordpiece" else trainers.BpeTrainer
    return trainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=numbered,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix="##",
    )


def _model(kind: str, trained: Mapping[str, Any]) -> Any:
    vocabulary = dict(trained["vocab"])
    if kind == "wordpiece":
        return models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD)
    merges = [tuple(pair) for pair in trained["merges"]]
    return models.BPE(vocabulary, merges, unk_token="[UNK]", continuing_subword_prefix="##", fuse_unk=True)


def _around(model: Any, lowercase: bool) -> Tokenizer:
    """A tokenizer with our normalisation, splitting and special tokens around `model`.

    Accents stay: in many scripts they tell words apart.
    """
    made = Tokenizer(model)
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.BertNormalizer(lowercase=lowercase, strip_accents=False)]
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def _alphabet(blank: Tokenizer, texts: Sequence[Raw], limit: int) -> list[str]:
    """The `limit` letters that occur most often after normalisation, in code point order."""
    counts: Counter[str] = Counter()
    for raw in texts:
        counts.update(blank.normalizer.normalize_str(text_of(raw)))
    letters = sorted((letter for letter in counts if not letter.isspace()), key=lambda each: (-counts[each], each))
    return sorted(islice(letters, limit))


def _length(made: Tokenizer, texts: Sequence[str]) -> int:
    characters = _LONGEST * _CHARACTERS_PER_TOKEN
    lengths = sorted(len(found.ids) for found in made.encode_batch([text[:characters] for text in texts]))
    enough = lengths[min(len(lengths) - 1, len(lengths) * 99 // 100)]
    return min(_LONGEST, max(8, -(-enough // 8) * 8))


def _padding(made: Tokenizer) -> int:
    known = (made.token_to_id(name) for name in ("[PAD]", "<pad>", "<|pad|>"))
    named = made.padding["pad_id"] if made.padding else None
    return int(next((index for index in (named, *known) if index is not None), 0))


def _offsets(text: str, found: Encoding) -> np.ndarray:
    """(T, 2) characters of each token; some tokenizers count the space before a word as part of it."""
    spans = np.array(found.offsets, np.int64).reshape(-1, 2)
    for index in np.flatnonzero([text[start : start + 1].isspace() and end > start for start, end in found.offsets]):
        start, end = spans[index]
        spans[index, 0] = min(end, start + len(text[start:end]) - len(text[start:end].lstrip()))
    return spans

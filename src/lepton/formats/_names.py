"""What the names of files and folders say about splits."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lepton.core.errors import UserError
from lepton.formats._text import words

SPLITS = ("train", "validation", "test")

_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev", "development", "devel", "testa"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "testb"), "test"),
}
# Folders of media hold thousands of these: looking into each would take seconds.
_NEVER = frozenset(words(".jpg .jpeg .png .bmp .gif .webp .tif .tiff .wav .flac .ogg .mp3 .opus"))
_SHARD = re.compile(r"[-_.]\d{5}-of-\d{5}")


def split_word(word: str) -> str | None:
    """The split that `word` alone names (`Val` is validation), whatever its case; None for other words."""
    return _WORDS.get(word.strip().casefold())


def split_of(name: str) -> str | None:
    """The split that a file's name carries as one of its words: `eng.testb`, `wnut17train.conll`; else None.

    The last such word counts, because data sets put it at the end of the stem.
    """
    found = [_WORDS[word] for word in _words(name) if word in _WORDS]
    return found[-1] if found else None


def stem_of(name: str) -> str:
    """`name` without the word of its split and without a shard's number: equal within one data set."""
    pieces = re.split(r"([A-Za-z]+)", _SHARD.sub("", name))
    last = max((at for at, piece in enumerate(pieces) if piece.casefold() in _WORDS), default=None)
    return "".join(piece for at, piece in enumerate(pieces) if at != last).casefold()


def visible(folder: Path) -> list[Path]:
    """What `folder` holds, sorted by name, without hidden entries; nothing where it cannot be listed."""
    try:
        return sorted(item for item in folder.iterdir() if not item.name.startswith((".", "__MACOSX")))
    except OSError:
        return []


def data_files(folder: Path, suits: Callable[[Path], bool]) -> list[Path]:
    """Files of `folder`, or of its only data-like child `data`, that `suits` accepts."""
    for place in (folder, folder / "data"):
        plain = (item for item in visible(place) if item.suffix.casefold() not in _NEVER and item.is_file())
        found = [item for item in plain if suits(item)]
        if found:
            return found
    return []


def by_split(files: Sequence[Path]) -> dict[str | None, list[Path]]:
    """The files of one data set by split: `{None: [file]}` for a lone one, `{}` where it is not clear.

    Clear means: one file, or files of one stem among which there is a training file.
    """
    if len(files) == 1:
        return {None: list(files)}
    sets = data_sets(files)
    if len(sets) != 1:
        return {}
    parts = next(iter(sets.values()))
    return {split: parts[split] for split in SPLITS if split in parts}


def data_sets(files: Iterable[Path]) -> dict[str, dict[str | None, list[Path]]]:
    """Stem -> split -> files, for every stem that has a training file."""
    sets: dict[str, dict[str | None, list[Path]]] = {}
    for file in files:
        split = split_of(file.name)
        if split:
            sets.setdefault(stem_of(file.name), {}).setdefault(split, []).append(file)
    return {stem: parts for stem, parts in sets.items() if "train" in parts}


def unclear(folder: Path, files: Sequence[Path]) -> UserError:
    """The error for a folder that holds several files and no single data set."""
    names = ", ".join(file.name for file in files[:8]) + (", ..." if len(files) > 8 else "")
    return UserError(
        f"{folder} holds several files and it is not clear which of them are the data set",
        rule="A folder is a data set when it has one file, or files of one name that carry train, dev, test",
        received=names,
        remedy='Name the file, or the files: source = { train = "...", test = "..." }',
    )


def _words(name: str) -> list[str]:
    return [word.casefold() for word in re.findall(r"[A-Za-z]+", name)]

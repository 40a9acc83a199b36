"""The lines of a text file one after another, however large it is, decoded as `_text.load` does."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from lepton.core.errors import UserError
from lepton.formats import _text
from lepton.formats._text import several


class Lines:
    r"""The lines with their ends (\n, \r\n or \r), read anew for each iteration; then `notes` holds its remarks.

    UTF-8 and 8-bit text is read line by line; UTF-16 and UTF-32, which few large files are in, at once.
    Raises UserError, when the lines are read, for a file that cannot be read or unpacked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._odd = self._lost = self._nul = 0

    def __iter__(self) -> Iterator[str]:
        if not _byte_by_byte(_head(self.path)):
            text, notes = _text.load(self.path)
            self.notes = notes
            yield from io.StringIO(text, newline="")
            return
        self._odd = self._lost = self._nul = 0
        with _opened(self.path) as stream:
            yield from self._decoded(stream)
        self.notes = [f"{self.path.name}: {note}" for note in self._remarks()]

    def _decoded(self, stream: IO[bytes]) -> Iterator[str]:
        marked = False
        for at, line in enumerate(stream):
            if at == 0 and line.startswith(codecs.BOM_UTF8):
                marked, line = True, line.removeprefix(codecs.BOM_UTF8)  # noqa: PLW2901
            text = self._text(line, marked=marked)
            yield from io.StringIO(text, newline="") if "\r" in text else (text,)

    def _text(self, line: bytes, *, marked: bool) -> str:
        """One line as text, what was odd about it counted."""
        text, well = (line.decode("utf-8", "replace"), True) if marked else _text.one_line(line)
        self._odd += not well
        self._lost += text.count("\N{REPLACEMENT CHARACTER}") if marked else 0
        if "\0" in text:
            self._nul += text.count("\0")
            text = text.replace("\0", "")
        return text

    def _remarks(self) -> Iterator[str]:
        if self._odd:
            yield f"{several(self._odd, 'line')} not in UTF-8, read as cp1252 or Latin-1"
        if self._lost:
            yield f"{several(self._lost, 'character')} could not be decoded"
        if self._nul:
            yield f"{several(self._nul, 'NUL character')} left out"


def beginning(lines: Lines) -> str:
    """The first whole lines, about as much as sniffing looks at."""
    taken, size = [], 0
    for line in lines:
        taken.append(line)
        size += len(line)
        if size >= _text.HEAD:
            break
    return "".join(taken)


def _head(path: Path) -> bytes:
    with _opened(path) as stream:
        return stream.read(_text.HEAD)


def _byte_by_byte(data: bytes) -> bool:
    """Whether line ends are single bytes: not so in UTF-16 and UTF-32."""
    wide = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
    return not data.startswith(wide) and not _text.utf16_without_mark(data)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where its name ends in .gz; failures, also while it is read, as UserError."""
    packed = path.suffix.casefold() == ".gz"
    try:
        with cast(IO[bytes], gzip.open(path) if packed else path.open("rb")) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is not a whole gzip file", rule=str(error), remedy="Fetch it again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read", rule=error.strerror or str(error)) from error


def is_blank(path: Path) -> bool:
    """Whether a file holds nothing but white space."""
    with _opened(path) as stream:
        return not any(re.search(rb"\S", piece) for piece in iter(lambda: stream.read(1 << 20), b""))

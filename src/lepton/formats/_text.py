"""Text files of any encoding: byte-order marks, UTF-8, UTF-16, else cp1252 or Latin-1, each oddity noted."""

import codecs
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from lepton.core.errors import UserError

HEAD = 1 << 16
"""Bytes that sniffing looks at."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def load(path: Path) -> tuple[str, list[str]]:
    """The text of a file (unpacked where its name ends in .gz) and remarks on what was odd about it.

    Raises UserError when the file cannot be read or is empty.
    """
    data = read_bytes(path)
    if not data.strip():
        raise UserError(f"{path} is empty", rule="A data file holds at least one record")
    text, notes = decode(data)
    return text, [f"{path.name}: {note}" for note in notes]


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where its name ends in .gz; UserError when that fails."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read", rule=error.strerror or str(error)) from error
    if path.suffix.casefold() != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file", rule=str(error), remedy="Fetch it again") from error


def head(path: Path) -> str:
    """The beginning of a file as text, for sniffing; "" for what cannot be read or is not text."""
    try:
        with gzip.open(path) if path.suffix.casefold() == ".gz" else path.open("rb") as stream:
            data = stream.read(1024)
            if b"\0\0\0" in data and not data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
                return ""
            data += stream.read(HEAD - 1024)
    except (OSError, EOFError, zlib.error):
        return ""
    text, _ = decode(data)
    odd = sum(not (letter.isprintable() or letter in "\n\r\t\f\v") for letter in text[:4096])
    return "" if odd > len(text[:4096]) // 20 else text


def head_lines(path: Path) -> list[str]:
    """The whole lines of `head`: a last one that may be cut is left out."""
    text = head(path)
    found = lines(text)
    return found[:-1] if len(text) >= HEAD // 4 and len(found) > 1 else found


def decode(data: bytes) -> tuple[str, list[str]]:
    """`data` as text, and remarks: the encoding where it is not UTF-8, what could not be decoded, NUL bytes.

    Never fails. Without a mark, lines that are UTF-8 are kept so and the others are read as cp1252 (Latin-1
    where cp1252 has no letter), which also mends files that mix the two.
    """
    text, notes = _decode(data)
    if "\0" in text:
        notes.append(f"{several(text.count(chr(0)), 'NUL character')} left out")
        text = text.replace("\0", "")
    return text, notes


def lines(text: str) -> list[str]:
    r"""The lines of `text`, ended by \n, \r\n or \r only; an empty one at the end is left out."""
    found = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return found[:-1] if found and not found[-1] else found


def _decode(data: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _marked(data[len(mark) :], encoding)
    guess = utf16_without_mark(data)
    if guess:
        text, notes = _marked(data, guess)
        return text, notes
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        return _line_by_line(data)


def _marked(data: bytes, encoding: str) -> tuple[str, list[str]]:
    text = data.decode(encoding, errors="replace")
    notes = [] if encoding == "utf-8" else [f"read as {encoding}"]
    lost = text.count("\N{REPLACEMENT CHARACTER}")
    return text, [*notes, f"{several(lost, 'character')} could not be decoded"] if lost else notes


def utf16_without_mark(data: bytes) -> str:
    """UTF-16 of mostly Latin text has a zero in every second byte, and other text files have none."""
    sample = data[:HEAD]
    half = len(sample) // 2
    if half < 4:
        return ""
    if sample[1::2].count(0) > 0.6 * half and sample[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if sample[::2].count(0) > 0.6 * half and sample[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return ""


def _line_by_line(data: bytes) -> tuple[str, list[str]]:
    pieces, odd = [], 0
    for line in data.split(b"\n"):
        text, well = one_line(line)
        pieces.append(text)
        odd += not well
    return "\n".join(pieces), [f"{several(odd, 'line')} not in UTF-8, read as cp1252 or Latin-1"]


def one_line(line: bytes) -> tuple[str, bool]:
    """A line as UTF-8, else as cp1252 or Latin-1, and whether it was UTF-8."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding), encoding == "utf-8"
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1"), False


def several(count: int, thing: str) -> str:
    """`count` with its noun, in the plural but for one: `3 lines`."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def words(text: str) -> tuple[str, ...]:
    """The words of `text`, for tables of names that read better as one line."""
    return tuple(text.split())


def some(items: Sequence[object], limit: int = 5) -> str:
    """The first few of `items`, joined, and dots where there are more."""
    return ", ".join(map(str, items[:limit])) + (", ..." if len(items) > limit else "")

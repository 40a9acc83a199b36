"""XML read by expat, with nothing that grows or reaches out: a document type is refused, and so are its entities."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from lepton.core.errors import UserError

_NEVER = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def parse(data: bytes) -> Element:
    """The root of the document. Raises UserError where it is not well-formed, and for one with a document type."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UserError("it is no XML", rule=str(error)) from error
    return builder.close()


def load(path: Path) -> Element:
    """The root of a file; UserError as `parse`, and where it cannot be opened."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError("it cannot be opened", rule=error.strerror or str(error)) from error
    return parse(data)


def text(element: Element | None, path: str) -> str:
    """What stands in the child at `path`: on one line as it is, else without the white space around it."""
    found = "" if element is None else element.findtext(path) or ""
    return found.strip() if "\n" in found or not found.strip() else found


def checked(written: str) -> str:
    """The text, if XML can say it. Raises UserError for one with control characters."""
    if _NEVER.search(written):
        raise UserError("XML cannot say a name with control characters", received=repr(written))
    return written


def _refuse(*_: object) -> None:
    raise UserError("it has a document type", rule="Files with one are not read, since its entities may grow endlessly")

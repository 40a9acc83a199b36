"""JSON data files: read whole, with the user's mistakes told as such."""

import json
import re
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError
from lepton.formats import _text

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = re.compile(rf"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")


def load(path: Path, what: str) -> tuple[Any, list[str]]:
    """The value of a JSON file, and remarks on its encoding; UserError, saying it is no `what`, where it has none."""
    text, notes = _text.load(path)
    try:
        return loads(text), notes
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise UserError(
            f"{path} is no {what}: it is not valid JSON", rule=reason[:150], remedy="Fetch it again"
        ) from error


def loads(text: str) -> Any:
    """The JSON value of `text`; half a pair of surrogates, which no text may hold, becomes a replacement character."""
    value = json.loads(text)
    return json.loads(_HALF.sub(r"\\ufffd", text)) if _HALF.search(text) else value


def head(path: Path) -> str:
    """The beginning of a file whose name says JSON, else ""."""
    return _text.head(path) if path.name.casefold().removesuffix(".gz").endswith(".json") else ""


def dumps(value: Any) -> str:
    """`value` as JSON on one line, letters as they are."""
    return json.dumps(value, ensure_ascii=False)

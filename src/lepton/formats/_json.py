"""JSON data files: read whole, with the user's mistakes told as such."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError
from lepton.formats import _text

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = re.compile(rf"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")

Each = Callable[[dict[str, Any]], Any]
"""What becomes of an object that was read."""


def load(path: Path, what: str, *, each: Each | None = None) -> tuple[Any, list[str]]:
    """The value of a JSON file, and remarks on its encoding; UserError, saying it is no `what`, where it has none.

    Every object goes through `each` as soon as it was read, so that what is not needed takes no memory.
    """
    text, notes = _text.load(path)
    try:
        return loads(text, each=each), notes
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise UserError(
            f"{path} is no {what}: it is not valid JSON", rule=reason[:150], remedy="Fetch it again"
        ) from error


def loads(text: str, *, each: Each | None = None) -> Any:
    """The JSON value of `text`; half a pair of surrogates, which no text may hold, becomes a replacement character."""
    value = json.loads(text, object_hook=each)
    return json.loads(_HALF.sub(r"\\ufffd", text), object_hook=each) if _HALF.search(text) else value


def head(path: Path) -> str:
    """The beginning of a file whose name says JSON, else ""."""
    return _text.head(path) if path.name.casefold().removesuffix(".gz").endswith(".json") else ""


def dumps(value: Any) -> str:
    """`value` as JSON on one line, letters as they are."""
    return json.dumps(value, ensure_ascii=False)

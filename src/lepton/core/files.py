"""Files: hashing, and writing aside and moving into place so that a killed run leaves no half file."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError


def sha256(path: Path) -> str:
    """The hex sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """The hex sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8 to `path` in one step: readers see the old file or the new one."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one step, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    os.chmod(aside, 0o644)
    os.replace(aside, path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` in one step."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; a file that is not JSON is the user's mistake."""
    text = path.read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON", rule=str(error)) from error


@contextmanager
def folder_aside(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` and move it to `path` when the block ends well; else remove it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    aside.chmod(0o755)
    try:
        yield aside
        if path.exists():
            shutil.rmtree(path)
        os.replace(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)

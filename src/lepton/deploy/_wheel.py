"""A wheel of the Lepton that runs: it goes into the image as it is, from a source tree as from an install.

A wheel is a zip of the package and of what its distribution says of itself (PEP 427), so neither a build tool nor a
registry is needed, and equal files give equal bytes.
"""

import base64
import hashlib
import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import lepton
from lepton.deploy._pins import PACKAGE

_KEPT = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_TAG = "py3-none-any"
_DAY = (1980, 1, 1, 0, 0, 0)


def wheel() -> tuple[str, bytes]:
    """The wheel's file name and its bytes."""
    installed = distribution(PACKAGE)
    stem = f"{PACKAGE.replace('-', '_')}-{installed.version}"
    info = f"{stem}.dist-info"
    told = {f"{info}/{name}": text.encode() for name in _KEPT if (text := installed.read_text(name)) is not None}
    files = {**_package(), **told, f"{info}/WHEEL": _about().encode()}
    record = [_row(name, data) for name, data in files.items()] + [f"{info}/RECORD,,"]
    files[f"{info}/RECORD"] = ("\n".join(record) + "\n").encode()
    return f"{stem}-{_TAG}.whl", _zip(files)


def _package() -> dict[str, bytes]:
    """The package's files by their paths in a wheel; compiled ones are made anew where it is installed."""
    root = Path(str(lepton.__file__)).parent
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {f"lepton/{path.relative_to(root).as_posix()}": path.read_bytes() for path in paths}


def _about() -> str:
    return f"Wheel-Version: 1.0\nGenerator: lepton\nRoot-Is-Purelib: true\nTag: {_TAG}\n"


def _row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DAY), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()

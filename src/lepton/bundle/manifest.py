"""The app folder: what its manifest says, writing it in one step, and reading it with every file checked.

The folder is all that crosses from the research side to the application side. It holds ONNX, JSON and a tokenizer
file; nothing in it is ever executed as Python.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lepton.core.errors import Faults, UserError
from lepton.core.files import folder_aside, sha256, write_bytes

FORMAT = 2
"""The newest manifest format that this Lepton reads; older ones stay readable.

Format 2 is 1 with `adapters`. An app without any is still written as format 1, so that older Leptons read it.
"""

MANIFEST = "manifest.json"
_Kind = TypeVar("_Kind")
_LARGEST = 64 * 2**20
_REMEDY = "Package the app again, or fetch a whole copy of it"
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_ADAPTER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The format number fixes the fields: one that is not known is a fault, not a thing to skip."""


class Tensor(_Strict, frozen=True):
    """A graph's input or output; None in `shape` is an axis that is free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] = ()


class Graph(_Strict, frozen=True):
    """One ONNX file. A graph that is not `batchable` answers differently in company, so it runs one by one."""

    file: str
    batchable: bool = True


class Transform(_Strict, frozen=True):
    """The transform that encodes raw inputs: its name, fitted settings, and the files it needs from the folder."""

    name: str
    settings: dict[str, Any] = {}
    files: tuple[str, ...] = ()


class Adapter(_Strict, frozen=True):
    """Tensors that take the place of those of the first graph, and how their answers are decoded."""

    file: str
    decode: dict[str, Any] = {}
    classes: tuple[str, ...] = ()


class Manifest(_Strict, frozen=True):
    """All that an app says of itself.

    `decode` is `{"name": ..., settings}`; `inputs` and `outputs` are those of the first graph; `contract` tells what
    was asked and how it was kept, on which `machine`; `files` maps every other file's path to its sha256. Of an app
    with `adapters`, `decode` and `classes` are those of the first of them, which answers where none is asked for.
    """

    name: str
    task: str
    graphs: dict[str, Graph]
    transform: Transform
    format: int = 1
    decode: dict[str, Any] = {}
    classes: tuple[str, ...] = ()
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    contract: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    files: dict[str, str] = {}
    adapters: dict[str, Adapter] = {}


class _Head(msgspec.Struct):
    """The one field that every format has."""

    format: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """An app folder that was read. `id` is the sha256 of the manifest's bytes.

    With an `adapter` chosen, the manifest's decode and classes are that adapter's.
    """

    folder: Path
    id: str
    manifest: Manifest
    adapter: str = ""

    def adapted(self, name: str) -> "Bundle":
        """The same app with the adapter `name` chosen. Raises UserError where it has none of that name."""
        known = self.manifest.adapters
        if name not in known:
            rule = f"It has {', '.join(known)}" if known else "It was packaged with one network and no adapters"
            remedy = "Choose one of them" if known else "Leave the adapter out, or join runs: lepton join"
            raise UserError(f"{self.manifest.name} has no such adapter", rule=rule, received=name, remedy=remedy)
        own = known[name]
        told = msgspec.structs.replace(self.manifest, decode=own.decode, classes=own.classes)
        return replace(self, manifest=told, adapter=name)

    def path(self, name: str) -> Path:
        """Where the file `name` of the manifest lies.

        Raises UserError when the manifest does not list it.
        """
        if name not in self.manifest.files:
            raise UserError(f"{self.folder} lists no file {name}", remedy=_REMEDY)
        return self.folder / name

    def transform_files(self) -> dict[str, bytes]:
        """The bytes of the transform's files by name."""
        return {name: self.path(name).read_bytes() for name in self.manifest.transform.files}

    def size_mb(self) -> float:
        """MB (10^6 bytes) of the files needed to answer: graphs, their weights, adapters, transform files, manifest."""
        paths = [self.folder / MANIFEST, *map(self.path, _needed(self.manifest))]
        return sum(path.stat().st_size for path in paths) / 1e6


def write(folder: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> Bundle:
    """Write an app folder aside and move it into place, replacing what was there.

    `files` maps paths inside the folder to their bytes or to a file to copy; their hashes enter the manifest.
    Raises UserError for paths that leave the folder and for graphs or transform files that are not given.
    """
    faults = [fault for name in files for fault in _path_faults(name)]
    if faults:
        raise Faults("The app's list of files", faults)
    with folder_aside(folder) as aside:
        for name, content in files.items():
            write_bytes(aside / name, content if isinstance(content, bytes) else content.read_bytes())
        hashes = {name: sha256(aside / name) for name in sorted(files)}
        full = msgspec.structs.replace(manifest, format=FORMAT if manifest.adapters else 1, files=hashes)
        _check_manifest(full, aside / MANIFEST)
        data = _encoded(full)
        write_bytes(aside / MANIFEST, data)
    return Bundle(folder, app_id(data), full)


def read(folder: Path, *, verify: bool = True) -> Bundle:
    """Read an app folder; with `verify`, hash every file and compare it with the manifest.

    Files that the manifest does not list are left alone and never read. A missing or changed file, a path that leaves
    the folder, a symbolic link or a manifest of a newer format raises UserError.
    """
    data = _manifest_bytes(folder / MANIFEST)
    manifest = decode(data, str(folder / MANIFEST))
    bundle = Bundle(folder, app_id(data), manifest)
    faults = list(file_faults(bundle)) if verify else []
    if faults:
        raise Faults(f"The app {folder}", faults)
    return bundle


def decode(data: bytes, place: str = MANIFEST) -> Manifest:
    """Turn a manifest's bytes into a Manifest, checking its form and its paths.

    Raises UserError for what is no manifest, and for a format newer than this Lepton.
    """
    head = _decode(data, _Head, place)
    if not 1 <= head.format <= FORMAT:
        raise UserError(
            f"{place} has a format that this Lepton cannot read",
            rule=f"Formats 1 to {FORMAT} can be read",
            received=head.format,
            remedy="Upgrade Lepton: pip install -U lepton-transfer",
        )
    manifest = _decode(data, Manifest, place)
    _check_manifest(manifest, place)
    return manifest


def app_id(data: bytes) -> str:
    """An app's id: the sha256 of its manifest's bytes, which in turn hold the sha256 of every other file."""
    return hashlib.sha256(data).hexdigest()


def file_faults(bundle: Bundle) -> Iterator[UserError]:
    """Each listed file that is missing, changed, or reached through a symbolic link."""
    for name, expected in bundle.manifest.files.items():
        path = bundle.folder / name
        if _links(bundle.folder, name):
            yield UserError(f"{name} is a symbolic link", rule="An app's files lie in its own folder", remedy=_REMEDY)
        elif not path.is_file():
            yield UserError(f"{name} is missing", rule="Every file of the manifest must be there", remedy=_REMEDY)
        elif (found := sha256(path)) != expected:
            yield UserError(
                f"{name} was changed", rule=f"Its sha256 must be {expected}", received=found, remedy=_REMEDY
            )


def _manifest_bytes(path: Path) -> bytes:
    if not path.is_file():
        remedy = f"Give the folder that holds {MANIFEST}"
        raise UserError(f"{path.parent} is no app", rule=f"An app is a folder with a {MANIFEST}", remedy=remedy)
    if path.stat().st_size > _LARGEST:
        raise UserError(f"{path} is too large", rule=f"A manifest has at most {_LARGEST:,} bytes", remedy=_REMEDY)
    return path.read_bytes()


def _decode(data: bytes, kind: type[_Kind], place: str) -> _Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{place} is no valid manifest", rule=str(error), remedy=_REMEDY) from error


def _encoded(manifest: Manifest) -> bytes:
    """The manifest's bytes; what its format does not know is left out."""
    told = msgspec.to_builtins(manifest)
    if manifest.format == 1:
        del told["adapters"]
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _check_manifest(manifest: Manifest, place: Path | str) -> None:
    faults = [fault for name in manifest.files for fault in _path_faults(name)]
    if not manifest.graphs:
        faults.append(UserError("The manifest names no graph", rule="At least one is needed to answer"))
    faults += _adapter_faults(manifest)
    adapters = [adapter.file for adapter in manifest.adapters.values()]
    wanted = [*(graph.file for graph in manifest.graphs.values()), *adapters, *manifest.transform.files]
    rule = "Graphs, adapters and transform files stand in `files`"
    faults += [
        UserError(f"{name} is used but not listed", rule=rule, remedy=_REMEDY)
        for name in wanted
        if name not in manifest.files
    ]
    if faults:
        raise Faults(str(place), faults)


def _adapter_faults(manifest: Manifest) -> Iterator[UserError]:
    if manifest.adapters and manifest.format < 2:
        rule = "Adapters came with format 2"
        yield UserError("The manifest has adapters", rule=rule, received=f"format {manifest.format}", remedy=_REMEDY)
    for name in manifest.adapters:
        if not _ADAPTER.fullmatch(name):
            rule = "It has letters, digits, - and _, 64 at most, and begins with a letter or a digit"
            yield UserError("An adapter's name is not allowed", rule=rule, received=repr(name))


def _path_faults(name: str) -> Iterator[UserError]:
    parts = name.split("/")
    odd = any(part in ("", ".", "..") or part != part.strip(" ") for part in parts) or _UNSAFE.search(name)
    if odd or name == MANIFEST or len(name) > 255:
        rule = "A path is relative, stays in the folder, and has forward slashes and no odd characters"
        yield UserError("A file's path is not allowed", rule=rule, received=repr(name))


def _links(folder: Path, name: str) -> bool:
    parts = Path(name).parts
    return any(folder.joinpath(*parts[: count + 1]).is_symlink() for count in range(len(parts)))


def _needed(manifest: Manifest) -> list[str]:
    """The network's files, adapters, and the transform's files."""
    adapters = {adapter.file for adapter in manifest.adapters.values()}
    return sorted({*network_files(manifest), *adapters, *manifest.transform.files})


def network_files(manifest: Manifest) -> dict[str, str]:
    """The sha256 of the graphs and of the weights stored beside them (`model.onnx.data`), by their paths."""
    graphs = tuple(graph.file for graph in manifest.graphs.values())
    beside = tuple(f"{graph}." for graph in graphs)
    return {name: known for name, known in manifest.files.items() if name in graphs or name.startswith(beside)}

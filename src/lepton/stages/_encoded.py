"""Raw records as arrays: fitting a transform, keeping it, and encoding with it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lepton.core import files, machine, plugins
from lepton.core.types import Arrays, Record
from lepton.transforms._fitted import Encoder, Fitted


def fit(choice: Mapping[str, Any], records: Sequence[Record]) -> Fitted:
    """Fit the chosen transform (`{name, settings}`) on the records' raw inputs."""
    given = {key: value for key, value in choice.items() if key != "name"}
    fitted: Fitted = plugins.load("transforms", choice["name"]).fit((record.read() for record in records), **given)
    return fitted


def save(folder: Path, name: str, fitted: Fitted) -> None:
    """Keep a fitted transform in `folder`: `transform.json`, and its files in `transform/`."""
    files.write_json(
        folder / "transform.json", {"name": name, "settings": fitted.settings, "files": sorted(fitted.files)}
    )
    for file, data in fitted.files.items():
        files.write_bytes(folder / "transform" / file, data)


def load(folder: Path) -> tuple[str, Fitted]:
    """The transform that `save` kept: its name, and itself."""
    kept = files.read_json(folder / "transform.json")
    data = {name: (folder / "transform" / name).read_bytes() for name in kept["files"]}
    return kept["name"], Fitted(kept["settings"], data)


def encoder(name: str, fitted: Fitted) -> Encoder:
    """The function from a raw input to its arrays."""
    made: Encoder = plugins.load("transforms", name).encoder(fitted.settings, fitted.files)
    return made


def encode(records: Sequence[Record], encode_one: Encoder) -> list[Arrays]:
    """The arrays of each record, in order; decoding runs on every core."""
    with ThreadPoolExecutor(machine.cores()) as pool:
        return list(pool.map(lambda record: encode_one(record.read()), records))

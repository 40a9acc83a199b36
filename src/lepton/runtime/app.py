"""Loading an app folder, and answering raw inputs with it.

The same code answers in Python, on the command line, in evaluation and in the server.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lepton.bundle.manifest import Bundle, Manifest, network_files, read
from lepton.core import plugins
from lepton.core.errors import BadInput, UserError
from lepton.core.types import Arrays, Files, Raw
from lepton.runtime._engine import Graph

MAX_BATCH = 16
"""Samples that run together at most: beyond it a processor gains nothing and memory grows."""

Run = Callable[[Arrays], Arrays]


@dataclass(frozen=True, slots=True)
class Sample:
    """The arrays of one input, without a batch axis, and what they were read from where that is known."""

    arrays: Arrays
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class App:
    """A loaded app. It holds no state that an answer could change, so threads may share it.

    One with adapters answers with its first, until another is chosen.
    """

    bundle: Bundle
    modality: str
    threads: int
    _task: Any
    _encode: Callable[[Raw], Arrays]
    _collate: Callable[[Sequence[Arrays]], Arrays]
    _graphs: Mapping[str, Graph]
    _settings: Mapping[str, Any]

    @property
    def manifest(self) -> Manifest:
        """What the app says of itself."""
        return self.bundle.manifest

    @property
    def name(self) -> str:
        """The app's name."""
        return self.bundle.manifest.name

    @property
    def task(self) -> str:
        """The task's name."""
        return self.bundle.manifest.task

    @property
    def adapters(self) -> list[str]:
        """The names of the app's adapters, in order; none where it has one network."""
        return list(self.bundle.manifest.adapters)

    @property
    def adapter(self) -> str:
        """The name of the adapter that answers; "" where there is none."""
        return self.bundle.adapter

    def with_adapter(self, name: str) -> "App":
        """The app with the adapter `name` answering: the network is shared, and nothing of it is read again.

        Raises UserError where it has none of that name.
        """
        bundle = self.bundle.adapted(name)
        first, graph = next(iter(self._graphs.items()))
        graphs = {**self._graphs, first: graph.adapted(bundle.path(bundle.manifest.adapters[name].file))}
        return replace(self, bundle=bundle, _graphs=graphs, _settings=_settings(bundle.manifest))

    @property
    def views(self) -> list["App"]:
        """The app with each of its adapters answering; itself alone where it has none."""
        return [self.with_adapter(name) for name in self.adapters] or [self]

    def encode(self, raw: Raw | Path | Files) -> Arrays:
        """The arrays of one raw input, without a batch axis.

        A Path is read; media are bytes, never a string. Raises BadInput for what cannot be decoded.
        """
        return self._encode(as_raw(raw, self.modality))

    def collate(self, samples: Sequence[Arrays]) -> Arrays:
        """Encoded samples as one batch."""
        return self._collate(samples)

    def run(self, arrays: Arrays, *, graph: str | None = None) -> Arrays:
        """Run a batch of arrays through a graph: the one named, else the first."""
        return self._graphs[graph or next(iter(self._graphs))](arrays)

    def predict(self, raw: Raw | Path | Files | Sequence[Raw | Path | Files]) -> Any:
        """The full answer to one raw input, or a list of answers to a list, in its order.

        Raises BadInput for the first input that cannot be answered.
        """
        if isinstance(raw, str | bytes | Path | Files):
            return self.predict([raw])[0]
        found = self.attempt(raw)
        for answer in found:
            if isinstance(answer, BadInput):
                raise answer
        return found

    def attempt(self, raws: Sequence[Raw | Path | Files], *, run: Run | None = None) -> list[Any]:
        """An answer for each raw input, or the BadInput that tells why there is none.

        `run` takes the place of the app's own, to time it for instance.
        """
        return self.answer([self.read(raw) for raw in raws], run=run)

    def read(self, raw: Raw | Path | Files) -> Sample | BadInput:
        """A raw input and its arrays, or the BadInput that tells why it has none."""
        try:
            plain = as_raw(raw, self.modality)
            return Sample(self._encode(plain), plain)
        except BadInput as error:
            return _bare(error)

    def answer(self, samples: Sequence[Sample | BadInput], *, run: Run | None = None) -> list[Any]:
        """An answer for each sample in its place; a BadInput stays what it is.

        Only samples of equal shapes share a batch, so nothing is padded and no answer depends on its companions
        (beyond the rounding of matrix kernels).
        """
        if len(samples) == 1 and isinstance(samples[0], Sample):
            return self._together([samples[0]], run or self.run)
        found: list[Any] = list(samples)
        good = {index: one for index, one in enumerate(samples) if isinstance(one, Sample)}
        limit = MAX_BATCH if self.batchable else 1
        for chunk in _chunks({index: one.arrays for index, one in good.items()}, limit):
            answers = self._together([good[index] for index in chunk], run or self.run)
            for index, answer in zip(chunk, answers, strict=True):
                found[index] = answer
        return found

    def _together(self, samples: Sequence[Sample], run: Run) -> list[Any]:
        """The answers to samples of equal shapes, run as one batch."""
        answers = self._task.answer(run, self._collate([one.arrays for one in samples]), self._settings)
        return [self._finish(answer, one.raw) for answer, one in zip(answers, samples, strict=True)]

    def brief(self, answer: Any) -> Any:
        """The short form of a full answer, as `lepton predict` and the server show it."""
        return self._task.brief(answer)

    @property
    def batchable(self) -> bool:
        """Whether every graph answers alike alone and in company."""
        return all(graph.batchable for graph in self.manifest.graphs.values())

    def _finish(self, answer: Any, raw: Raw | None) -> Any:
        finish = getattr(self._task, "finish", None)
        return finish(answer, raw) if finish and raw is not None else answer


def load(folder: str | Path, *, threads: int = 1, instead: App | None = None) -> App:
    """Load the app in `folder` (an app folder, or a run folder that holds one) with `threads` threads.

    Every file is hashed and compared with the manifest. Where it comes `instead` of an app with the same network under
    other adapters, that network stays open and is shared. Raises UserError when something is missing or was changed.
    """
    return open_bundle(read(find(Path(folder))), threads=threads, instead=instead)


def open_bundle(bundle: Bundle, *, threads: int = 1, instead: App | None = None) -> App:
    """Make an App of a bundle that was read; `instead` as in `load`."""
    manifest = bundle.manifest
    task = plugins.load("tasks", manifest.task)
    transform = plugins.load("transforms", manifest.transform.name)
    _check_modality(task.MODALITY, transform.MODALITY)
    if instead is not None and instead.threads == threads and _same_network(bundle, instead.bundle):
        graphs = instead._graphs
    else:
        graphs = {name: Graph(bundle.path(graph.file), threads=threads) for name, graph in manifest.graphs.items()}
    app = App(
        bundle=bundle,
        modality=task.MODALITY,
        threads=threads,
        _task=task,
        _encode=transform.encoder(manifest.transform.settings, bundle.transform_files()),
        _collate=transform.collate,
        _graphs=graphs,
        _settings=_settings(manifest),
    )
    return app.with_adapter(app.adapters[0]) if app.adapters else app


def _same_network(new: Bundle, old: Bundle) -> bool:
    """Whether two apps with adapters have the same graphs, to the byte."""
    both = (new.manifest, old.manifest)
    graphs, other = ((manifest.graphs, network_files(manifest)) for manifest in both)
    return all(manifest.adapters for manifest in both) and graphs == other


def _settings(manifest: Manifest) -> dict[str, Any]:
    """What the task is told in answering."""
    return {"classes": list(manifest.classes), "decode": manifest.decode}


def find(folder: Path) -> Path:
    """The app folder meant by `folder`: itself, or its `app` when it is a run folder."""
    inner = folder / "app"
    return inner if not (folder / "manifest.json").exists() and (inner / "manifest.json").exists() else folder


def _check_modality(task: str, transform: str) -> None:
    if task != transform:
        rule = f"The task takes {task}, the transform {transform}"
        raise UserError("The manifest's task and transform do not fit", rule=rule, remedy="Package the app again")


def as_raw(raw: Raw | Path | Files, modality: str) -> Raw:
    """Give bytes for media and a string for text, reading a Path; no string from outside ever opens a file.

    Raises BadInput for a file that cannot be read, a string where media are due, and text that is not UTF-8.
    """
    data = _read(raw) if isinstance(raw, Path | Files) else raw
    if modality == "text":
        return data if isinstance(data, str) else _decode(data)
    if isinstance(data, str):
        rule = f"An {modality} is given as bytes or as a pathlib.Path"
        raise BadInput("The input is a string", rule=rule, received=data, remedy="Wrap a file's name in Path(...)")
    return data


def _bare(error: BadInput) -> BadInput:
    """The error as an answer: the frames it came through would keep the raw input, in a ring with what keeps it."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _read(path: Path | Files) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read", rule=error.strerror or str(error)) from error


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"A text is UTF-8; byte {error.start} is not"
        raise BadInput("The text cannot be decoded", rule=rule, remedy="Convert it: iconv -t UTF-8") from error


def _chunks(samples: Mapping[int, Arrays], limit: int) -> Iterator[list[int]]:
    """Indices of samples whose arrays have equal shapes, at most `limit` together."""
    groups: dict[Any, list[int]] = {}
    for index, arrays in samples.items():
        groups.setdefault(_shapes(arrays), []).append(index)
    for group in groups.values():
        for start in range(0, len(group), limit):
            yield group[start : start + limit]


def _shapes(arrays: Arrays) -> tuple[tuple[int, ...], ...]:
    return tuple(np.shape(array) for array in arrays.values())

"""The apps that are served, each of which may be exchanged for another while it answers."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lepton.bundle import golden
from lepton.core.errors import BadInput, UserError
from lepton.runtime.app import App, find, load
from lepton.runtime.samples import samples
from lepton.serve import _signature
from lepton.serve._bell import Bell
from lepton.serve._engine import Engine
from lepton.serve._limits import Limits
from lepton.serve._meters import Meters
from lepton.serve._problems import Problem

_LOG = logging.getLogger(__name__)
_WARM = 3
_HEARING = 0.25

Stamp = tuple[tuple[str, int, int], ...]


Group = Mapping[str, Engine]
"""The engines of one app by the names they are asked by: the app's own, and `APP.ADAPTER` for each of its adapters."""


class Shelf:
    """Engines by the name they are served by. `folders` tells where an app is read again from; without, it stays."""

    def __init__(
        self, apps: Mapping[str, App], *, limits: Limits, meters: Meters, folders: Mapping[str, Path] | None = None
    ) -> None:
        self._limits = limits
        self._meters = meters
        self._folders = dict(folders or {})
        self._engines: dict[str, Engine] = {}
        self._groups: dict[str, Group] = {}
        for name, app in apps.items():
            self._put(name, self._group(name, app))
        self._locks = {name: asyncio.Lock() for name in apps}
        self._draining: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> list[str]:
        """Every name that can be asked, in the order given at the start."""
        return list(self._engines)

    @property
    def apps(self) -> list[str]:
        """The names of the apps, those of their adapters left out."""
        return list(self._groups)

    def owner(self, name: str) -> str:
        """The app that `name` belongs to. Raises Problem 404 where there is none."""
        self.engine(name)
        return next(app for app, group in self._groups.items() if name in group)

    def engine(self, name: str) -> Engine:
        """The engine that answers for `name` now. Raises Problem 404 where there is none."""
        found = self._engines.get(name)
        if found is None:
            raise Problem(404, "There is no app of that name", known=self.names, remedy="GET /v1/apps lists them")
        return found

    async def swap(self, name: str) -> tuple[str, str]:
        """Read the app of `name` again from its folder and let it answer from now on; ids of the old one and the new.

        Its adapters go with it; one that it had not before can be asked for from then on. The new app is read with
        every hash compared, answers its golden inputs and is warm before it takes over; the old one answers what it
        has accepted. Raises UserError when the new app cannot be read or answers otherwise than when it was packaged:
        then the old one goes on.
        """
        name = self.owner(name)
        async with self._locks[name]:
            old = self._groups[name]
            if name not in self._folders:
                raise UserError(f"{name} has no folder", rule="An app that was handed over loaded cannot be read again")
            new = await asyncio.to_thread(self._checked, name, old[name].app)
            self._put(name, new)
        for engine in old.values():
            self._drain(engine)
        ids = old[name].app.bundle.id, new[name].app.bundle.id
        _LOG.warning("%s was swapped: %s instead of %s", name, ids[1], ids[0])
        return ids

    def _drain(self, engine: Engine) -> None:
        task = asyncio.create_task(engine.drained())
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    def stamp(self, name: str) -> Stamp:
        """What changes when the folder of `name` changes: its files with sizes and times; () while there is none."""
        try:
            files = sorted(path for path in find(self._folders[name]).rglob("*") if path.is_file())
            return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path in files for stat in (path.stat(),))
        except (OSError, KeyError):
            return ()

    async def close(self) -> None:
        """Answer what was accepted and end every engine."""
        await asyncio.gather(*(engine.drained() for engine in self._engines.values()), *self._draining)

    def _checked(self, name: str, old: App) -> Group:
        app = load(self._folders[name], threads=old.threads, instead=old)
        if app.task != old.task:
            rule = f"{name} answers {old.task}, and its clients count on that"
            raise UserError(
                "The new app has another task", rule=rule, received=app.task, remedy="Serve it by a new name"
            )
        problems = [problem for view in app.views for problem in _wrong_answers(view)]
        if problems:
            rule = "An app must answer its golden inputs as it did when it was packaged"
            raise UserError("The new app answers otherwise", rule=rule, received="; ".join(problems[:3]))
        return self._group(name, app)

    def _put(self, name: str, group: Group) -> None:
        """Let the engines of the app `name` answer. Raises UserError where another app has one of their names."""
        others = {key: one for key, one in self._groups.items() if key != name}
        taken = [each for each in group if any(each in one for one in others.values())]
        if taken:
            rule = "An app with adapters is asked by APP.ADAPTER as well"
            raise UserError("Two apps have one name", rule=rule, received=taken[0], remedy="Serve one as NAME=FOLDER")
        self._groups[name] = group
        self._engines = {key: engine for one in self._groups.values() for key, engine in one.items()}

    def _group(self, name: str, app: App) -> Group:
        first = self._engine(name, app)
        return {name: first, **{f"{name}.{key}": self._beside(first, name, key) for key in app.adapters}}

    def _beside(self, first: Engine, name: str, adapter: str) -> Engine:
        """The engine of another adapter of an app whose first engine is warm."""
        meters = self._meters.of(f"{name}.{adapter}")
        return Engine(first.app.with_adapter(adapter), limits=self._limits, meters=meters, beside=first)

    def _engine(self, name: str, app: App) -> Engine:
        engine = Engine(app, limits=self._limits, meters=self._meters.of(name))
        engine.warm(samples(app)[0][:_WARM] * _WARM)
        with suppress(BadInput):  # an app that its own inputs do not suit is told so when it is asked for tensors
            _signature.of(engine)
        return engine


async def watch(shelf: Shelf, *, seconds: float) -> None:
    """Look at every app's folder each so many `seconds`, and swap an app whose files have changed; never returns.

    An app that is refused is named in the log, and tried again when its files change again.
    """
    seen = {name: shelf.stamp(name) for name in shelf.apps}
    while True:
        await asyncio.sleep(seconds)
        for name in shelf.apps:
            stamp = shelf.stamp(name)
            if stamp and stamp != seen[name]:
                seen[name] = stamp
                await _try(shelf, name)


async def listen(shelf: Shelf, bell: Bell) -> None:
    """Swap the apps that another worker has swapped, a quarter of a second later at most; never returns."""
    while True:
        await asyncio.sleep(_HEARING)
        for name in shelf.apps:
            if bell.rings(name):
                await _try(shelf, name)


async def _try(shelf: Shelf, name: str) -> None:
    try:
        await shelf.swap(name)
    except UserError as error:
        _LOG.warning("The new %s is refused, the old one goes on: %s", name, error)


def _wrong_answers(app: App) -> list[str]:
    pairs = golden.read(app.bundle)
    found = app.attempt([raw for raw, _ in pairs])
    return [text for (_, item), answer in zip(pairs, found, strict=True) for text in _differences(item, answer)]


def _differences(item: golden.Golden, answer: object) -> list[str]:
    if isinstance(answer, BadInput):
        return [f"{item.input}: {answer.message}"]
    return [f"{item.input}: {text}" for text in golden.differences(item.answer, answer, item.tolerance)]

"""Read a data set, whatever its format: the one door for the stages."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from lepton.core import plugins, settings
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats._joined import joined
from lepton.formats._names import SPLITS, visible

ROOM = "formats"


def read(
    source: str | Mapping[str, str],
    *,
    base: Path,
    modality: str | None = None,
    labels: str | None = None,
    format: str | Mapping[str, Any] | None = None,  # noqa: A002 - the name that recipes use
    pattern: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> Reading:
    """Read `source`: a built-in name, a path relative to `base`, an address such as `sqlite:///reviews.db`.

    Or one of these a split {train=, validation=, test=}; ids then begin with the split: `train:train.csv#17`.
    The format is found by asking all that serve `modality` ("image", "text", "audio", or None for all), or is
    named by `format`: its name, or a table {name=, settings}, as a mapping or as TOML spells it. Raises UserError
    for a path that is missing or that no format or several take, and for an option that the format does not understand.
    Formats with `LABELS` ("boxes" or "masks") go before those that see nothing but files; where a modality is asked
    for, they are looked at only if `labels` says so.
    """
    given = {**choice(format), **_without_none({"pattern": pattern, "text": text, "label": label})}
    name = given.pop("name", None)
    find = _Finder(base, (modality, labels), name, _without_none(given))
    if isinstance(source, str):
        return _not_empty(find.read(source), source)
    _check_splits(source)
    readings = [_as_split(find.read(source[split]), split) for split in SPLITS if split in source]
    return joined(readings)


def choice(chosen: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A format with its settings, as a table: it may be named by a string, or be spelt as a table of TOML."""
    if not isinstance(chosen, str) or not chosen.lstrip().startswith("{"):
        return {"name": chosen} if isinstance(chosen, str) else chosen or {}
    try:
        table: Mapping[str, Any] = tomllib.loads(f"format = {chosen}")["format"]
    except tomllib.TOMLDecodeError as error:
        rule = 'It is a name, or a table such as { name = "sql", table = "reviews" }'
        raise UserError(f"[data.format] is wrong: {error}", rule=rule, received=chosen) from error
    return table


def is_address(source: str) -> bool:
    """Whether `source` is an address, such as `sqlite:///reviews.db`, and not a path."""
    return re.match(r"[A-Za-z][\w.+-]*://", source) is not None


def has_password(address: str) -> bool:
    """Whether a password stands in `address` itself, where all can read it, and not as `${NAME}`."""
    return re.search(r"://[^:/?#]*:(?!\$\{\w+\}@)[^@]+@|[?&]\w*pass\w*=(?!\$\{)", address) is not None


class _Finder:
    """Finds the format of a path and reads it, with what was asked for."""

    def __init__(  # noqa: PLR0917 - private
        self, base: Path, asked: tuple[str | None, str | None], name: str | None, options: Mapping[str, Any]
    ) -> None:
        self.base = base
        self.modality, self.labels = asked
        self.name = name
        self.options = options

    def read(self, source: str) -> Reading:
        """The records of one path or address."""
        if not isinstance(source, str) or not source.strip() or "\0" in source:
            raise UserError(
                "[data.source] is wrong", rule="It must be a path or a built-in name", received=repr(source)
            )
        if is_address(source):
            name, module = self._addressed(source)
            self._check(name, module)
            at: Reading = module.read_at(source, self.base, **self.options)
            return at
        path = self._path(source)
        name, module = self._named(path) if self.name else self._sniffed(path)
        self._check(name, module)
        reading: Reading = module.read(path, **self.options)
        return reading

    def _check(self, name: str, module: ModuleType) -> None:
        """Raise UserError where an option is unknown to the format or is of another type."""
        known = settings.parameters(module.read)
        for option in self.options:
            if option not in known:
                raise _not_understood(name, option, list(known))
        settings.settle(module.read, self.options, "data")

    def _addressed(self, address: str) -> tuple[str, ModuleType]:
        """The format whose ADDRESSES hold the scheme of `address`; messages name the scheme alone."""
        scheme = address.partition("://")[0].partition("+")[0]
        modules = {name: plugins.load(ROOM, name) for name in plugins.names(ROOM)}
        known = {name: module for name, module in modules.items() if hasattr(module, "ADDRESSES")}
        fitting = {name: module for name, module in known.items() if scheme in module.ADDRESSES}
        asked = {
            name: module
            for name, module in fitting.items()
            if self.modality in (None, module.MODALITY) and self.name in (None, name) and _takes(module, address)
        }
        if len(asked) == 1:
            return next(iter(asked.items()))
        if asked:
            raise self._ambiguous(f"{scheme}://", list(asked))
        schemes = sorted({f"{scheme}://" for module in known.values() for scheme in module.ADDRESSES})
        what = f"No format reads {self.modality or 'data'} from {scheme}://" if fitting else "Unknown kind of address"
        raise UserError(what, rule=f"Known: {', '.join(schemes)}", received=f"{scheme}://")

    def _path(self, source: str) -> Path:
        try:
            path = self.base / Path(source).expanduser()
            path.stat()
        except FileNotFoundError:
            return path
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"There is no {source[:200]}", rule=getattr(error, "strerror", None) or str(error)
            ) from error
        return path

    def _named(self, path: Path) -> tuple[str, ModuleType]:
        module = plugins.load(ROOM, str(self.name))
        if not _exists(path) and not module.sniff(path):
            raise _missing(path)
        return str(self.name), module

    def _sniffed(self, path: Path) -> tuple[str, ModuleType]:
        modules = {name: plugins.load(ROOM, name) for name in plugins.names(ROOM)}
        asked = {name: module for name, module in modules.items() if self._serves(module)}
        taking = {name: module for name, module in asked.items() if module.sniff(path)}
        taking = {name: module for name, module in taking.items() if hasattr(module, "LABELS")} or taking
        if len(taking) == 1:
            return next(iter(taking.items()))
        if taking:
            raise self._ambiguous(path, list(taking))
        if not _exists(path):
            raise _missing(path)
        raise self._unknown(path, {name: module for name, module in modules.items() if module.sniff(path)})

    def _serves(self, module: ModuleType) -> bool:
        """Whether a format gives what was asked for; where no modality was, all may be looked at."""
        given = getattr(module, "LABELS", None)
        if self.modality is None:
            return self.labels in (None, given)
        return self.modality == module.MODALITY and given in (None, self.labels)

    def _ambiguous(self, path: Path | str, names: Sequence[str]) -> UserError:
        return UserError(
            f"{path} can be read in several formats",
            rule=f"These take it: {', '.join(names)}",
            remedy=f'Name one: format = "{names[0]}" in [data]',
        )

    def _unknown(self, path: Path, taking: Mapping[str, ModuleType]) -> UserError:
        if taking:
            found = ", ".join(f"{name} ({_gives(module)})" for name, module in taking.items())
            return UserError(f"{path} holds no {self.modality} data", rule=f"It was recognised as {found}")
        known = ", ".join(plugins.names(ROOM))
        what = "is empty" if _empty(path) else "is in no known format"
        return UserError(f"{path} {what}", rule=f"Known: {known}", remedy='Or name it: format = "..." in [data]')


def _gives(module: ModuleType) -> str:
    return " ".join([module.MODALITY, *([module.LABELS] if hasattr(module, "LABELS") else [])])


def _takes(module: ModuleType, address: str) -> bool:
    """What `sniff_at` of a format says, where several read from such addresses."""
    return not hasattr(module, "sniff_at") or bool(module.sniff_at(address))


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _empty(path: Path) -> bool:
    return path.stat().st_size == 0 if path.is_file() else path.is_dir() and not visible(path)


def _missing(path: Path) -> UserError:
    near = difflib.get_close_matches(path.name, _beside(path), n=1)
    return UserError(
        f"There is no {path}",
        rule="A source is a built-in name, or a path relative to the recipe's folder",
        remedy=f"Did you mean {path.parent / near[0]}" if near else "",
    )


def _beside(path: Path) -> list[str]:
    return [item.name for item in visible(path.parent)]


def _not_understood(name: str, option: str, known: Sequence[str]) -> UserError:
    rule = f"It knows {', '.join(known)}" if known else "It has no options"
    return UserError(f"[data.{option}] is not understood by the format {name}", rule=rule, remedy=f"Leave {option} out")


def _check_splits(source: Mapping[str, str]) -> None:
    for split in source:
        if split not in SPLITS:
            raise plugins.unknown("split in [data.source]", split, list(SPLITS))
    if "train" not in source:
        received = ", ".join(source) or "nothing"
        raise UserError("[data.source] names no training data", rule="It must have train", received=received)


def _as_split(reading: Reading, split: str) -> Reading:
    records = [
        Record(f"{split}:{record.id}", record.raw, record.label, split, record.fields)
        for record in _not_empty(reading, split).records
    ]
    bad = [BadRecord(f"{split}:{bad.id}", bad.reason) for bad in reading.bad]
    within = {record.split for record in reading.records} - {None, split}
    odd = [f"the source given as {split} has splits of its own ({', '.join(sorted(map(str, within)))}), not heeded"]
    notes = [*(f"{split}: {note}" for note in reading.notes), *(odd if within else [])]
    return Reading(records, bad, notes, reading.unknown)


def _not_empty(reading: Reading, source: str) -> Reading:
    if reading.records:
        return reading
    reasons = "; ".join(f"{bad.id} {bad.reason}" for bad in reading.bad[:3]) or "there was none"
    raise UserError(f"No record of {source} can be read", rule="At least one must be readable", received=reasons)

"""The signature is the schema: settings are the keyword-only, annotated parameters of a callable.

Understood annotations: bool, int, float, str, dict, `X | None`, `Literal[...]`, `list[X]`, a frozen dataclass
(a table), and `Annotated[X, Range(...)]` or `Annotated[X, Plugin(room)]`.
"""

import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from lepton.core import plugins
from lepton.core.errors import Faults, UserError


@dataclasses.dataclass(frozen=True)
class Range:
    """Closed bounds of a number (or of each number in a list); None leaves a side open."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"between {_bound(self.low, '-inf')} and {_bound(self.high, 'inf')}"

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside; NaN never does."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A choice of a plug-in of `room`: its name, or a table `{name = ..., settings}`.

    `verb` is the callable of the plug-in whose signature lists the settings; `also` are further names
    that a recipe may say and that are no plug-ins (such as "auto").
    """

    room: str
    verb: str
    also: tuple[str, ...] = ()


class _Wrong(Exception):
    """A value that does not fit its annotation: the rule, and a remedy if there is a special one."""

    def __init__(self, rule: str, remedy: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.remedy = remedy


def resolve(target: Callable[..., Any], given: Mapping[str, Any], place: str) -> tuple[dict[str, Any], list[UserError]]:
    """Check `given` against the signature of `target` and fill in its defaults.

    Returns the resolved settings and every fault found, each naming its place (`place.key`).
    """
    known = parameters(target)
    values: dict[str, Any] = {}
    faults = [_unknown_key(place, key, list(known)) for key in given if key not in known]
    for name, parameter in known.items():
        where = f"{place}.{name}" if place else name
        if name in given:
            values[name], more = _check(given[name], parameter.annotation, where)
            faults += more
        elif parameter.default is inspect.Parameter.empty:
            faults.append(
                UserError(f"[{where}] is missing", rule=_rule(parameter.annotation), remedy=f"Add {name} = ...")
            )
        else:
            values[name] = plain(parameter.default)
    return values, faults


def settle(target: Callable[..., Any], given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """`resolve`, raising Faults when there is any."""
    values, faults = resolve(target, given, place)
    if faults:
        raise Faults(place, faults)
    return values


def parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function (or the fields of a dataclass), annotations evaluated."""
    hints = get_type_hints(target, include_extras=True)
    signature = inspect.signature(target)
    return {
        name: parameter.replace(annotation=hints.get(name, Any))
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def defaults(target: Callable[..., Any]) -> dict[str, Any]:
    """The settings that `target` takes where none is given, but for those that must be."""
    known = parameters(target).items()
    return {name: plain(item.default) for name, item in known if item.default is not inspect.Parameter.empty}


def build(target: type, values: Mapping[str, Any]) -> Any:
    """Make the settings dataclass `target` from resolved `values`; nested tables become their dataclasses."""
    made = {}
    for name, parameter in parameters(target).items():
        inner = _table(parameter.annotation)
        value = values[name]
        made[name] = build(inner, value) if inner and isinstance(value, Mapping) else value
    return target(**made)


def plain(value: Any) -> Any:
    """`value` as JSON and TOML can say it: dataclasses become tables, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _check(value: Any, annotation: Any, where: str) -> tuple[Any, list[UserError]]:
    inner = _table(annotation)
    choice = _choice(annotation)
    if value is None and _optional(annotation):
        return None, []
    if choice and _list_of(annotation):
        return _many(value, choice, where)
    if choice and not _plain_match(value, annotation):
        return choose(value, choice, where)
    if inner and isinstance(value, Mapping):
        return resolve(inner, value, where)
    try:
        return _fit(value, annotation), []
    except _Wrong as wrong:
        return value, [UserError(f"[{where}] is wrong", rule=wrong.rule, received=repr(value), remedy=wrong.remedy)]


def _many(values: Any, choice: Plugin, where: str) -> tuple[Any, list[UserError]]:
    if not isinstance(values, list):
        rule = f"It must be a list of names of {choice.room}, or of tables {{ name = ..., settings }}"
        return values, [UserError(f"[{where}] is wrong", rule=rule, received=repr(values))]
    pairs = [choose(value, choice, f"{where}[{index}]") for index, value in enumerate(values)]
    return [value for value, _ in pairs], [fault for _, faults in pairs for fault in faults]


def choose(value: Any, choice: Plugin, where: str) -> tuple[Any, list[UserError]]:
    """A plug-in choice as a table with its name and every setting resolved, and the faults found."""
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        rule = f"It must be the name of one of {choice.room}, or a table {{ name = ..., settings }}"
        return value, [UserError(f"[{where}] is wrong", rule=rule, received=repr(value))]
    given = {key: item for key, item in table.items() if key != "name"}
    name = table["name"]
    if name in choice.also and not given:
        return {"name": name}, []
    known = [*plugins.names(choice.room), *choice.also]
    if name not in known:
        fault = plugins.unknown(f"{choice.room} plug-in in [{where}]", name, known)
        return value, [fault]
    settings, faults = resolve(getattr(plugins.load(choice.room, name), choice.verb), given, where)
    return {"name": name, **settings}, faults


def _fit(value: Any, annotation: Any) -> Any:
    """Convert `value` to `annotation` or raise `_Wrong`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _in_range(_fit(value, arguments[0]), arguments[1:])
    if origin in (Union, types.UnionType):
        return _fit_any(value, arguments, annotation)
    if origin is Literal:
        return _one_of(value, arguments)
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            raise _Wrong(_rule(annotation))
        return [_fit(item, arguments[0]) for item in value]
    return _scalar(value, origin or annotation, annotation)


def _scalar(value: Any, kind: Any, annotation: Any) -> Any:
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (dict, Mapping):
        kind = Mapping
    if not isinstance(kind, type) or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Wrong(_rule(annotation))
    return dict(value) if isinstance(value, Mapping) else value


def _fit_any(value: Any, arguments: tuple[Any, ...], annotation: Any) -> Any:
    wrongs = []
    for argument in arguments:
        try:
            return _fit(value, argument)
        except _Wrong as wrong:
            wrongs.append(wrong)
    raise _Wrong(_rule(annotation))


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value in allowed and type(value) in {type(item) for item in allowed}:
        return value
    raise _Wrong(f"It must be one of {', '.join(map(repr, allowed))}")


def _in_range(value: Any, marks: tuple[Any, ...]) -> Any:
    for mark in marks:
        if isinstance(mark, Range):
            items = value if isinstance(value, list) else [value]
            if not all(mark.holds(item) for item in items if item is not None):
                raise _Wrong(f"It must be {mark}")
    return value


def _unknown_key(place: str, key: str, known: list[str]) -> UserError:
    where = f"{place}.{key}" if place else key
    return plugins.unknown(f"key [{where}]", key, known)


def _rule(annotation: Any) -> str:
    return f"It must be {words(annotation)}"


def words(annotation: Any) -> str:
    """An annotation in plain words: "a number between 0 and 1"."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marks = [str(mark) for mark in arguments[1:] if isinstance(mark, Range)]
        return " ".join([words(arguments[0]), *marks])
    if origin in (Union, types.UnionType):
        return " or ".join(words(item) for item in arguments if item is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin in (list, tuple):
        return f"a list of {words(arguments[0])}"
    plain_words = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    return plain_words.get(annotation, "a table")


def _plain_match(value: Any, annotation: Any) -> bool:
    """Whether a union with a plug-in choice also takes `value` as a plain literal (true, false, a number)."""
    return not isinstance(value, str | Mapping | list) and _optional(annotation)


def _choice(annotation: Any) -> Plugin | None:
    if get_origin(annotation) is Annotated:
        return next((mark for mark in get_args(annotation)[1:] if isinstance(mark, Plugin)), None)
    return next(filter(None, map(_choice, get_args(annotation))), None)


def _list_of(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return origin is list or any(_list_of(item) for item in get_args(annotation) if get_origin(item))


def _optional(annotation: Any) -> bool:
    return annotation is type(None) or any(_optional(item) for item in get_args(annotation))


def _table(annotation: Any) -> type | None:
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return annotation
    return next(filter(None, map(_table, get_args(annotation))), None)


def _bound(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:g}"

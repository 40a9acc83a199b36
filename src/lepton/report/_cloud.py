"""Clouds: what many candidates cost and bring, as points over two axes with limits, a front, and a few names."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from lepton.report import _charts, _labels
from lepton.report._charts import Axis, Form, Point
from lepton.report._labels import Box, Places

_HEIGHT, _LEFT, _TOP = 340.0, 66.0, 34.0
_NEAR = 3.0  # how many times farther than every point a limit may lie to be drawn to scale
_INSET = 8.0  # how far from a point a name may stand without a line to it
_LEAST = 1e-9  # what an axis by magnitude can show; less lies on its edge
_ROOM = 0.1  # of the span of an axis, on either side


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point; `kind` is a class of the page's style, `low` and `high` where a line below or above it ends.

    `names` are ways to name it, of which the first that has room is written; where none has, none is, unless it `must`.
    """

    x: float
    y: float
    kind: str
    hint: str
    radius: float = 5.0
    names: Sequence[str] = ()
    must: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Side:
    """An axis: what it tells, how a value is written, and whether more is better.

    `limits` are lines, each with its name. `ends` is the part that is shown, else all; points outside lie on the edge.
    """

    name: str
    form: Form
    log: bool = True
    more: bool = False
    limits: Sequence[tuple[float, str]] = ()
    ends: tuple[float, float] | None = None


def cloud(marks: Sequence[Mark], sides: tuple[Side, Side], *, name: str, front: Sequence[Point] = ()) -> str:
    """Points over two axes; `front` is drawn in steps from the best of the first side to the best of the second."""
    if not marks:
        return ""
    across = _axis(sides[0], [mark.x for mark in marks], (_LEFT, _charts.WIDTH - _charts.RIGHT))
    up = _axis(sides[1], [mark.y for mark in marks], (_HEIGHT - _charts.BOTTOM, _TOP))
    axes = across, up
    places = Places((across.start + 3, 2, _charts.WIDTH - 2, up.start - 3))
    for mark in marks:
        taken = places.faint if mark.kind == "faint" else places.points
        taken.append(_labels.square(_at(mark, axes), mark.radius))
    parts = [
        *_beyond(axes, sides),
        *_charts.frame(axes, (sides[0].name, sides[1].name), (sides[0].form, sides[1].form)),
        *_limits(axes, sides, places),
        _steps(front, axes, sides[1]),
        *(part for mark in _ordered(marks) for part in _drawn(mark, axes)),
        *_names(marks, axes, places),
    ]
    return _charts.svg(parts, name, (_charts.WIDTH, _HEIGHT))


def legend(keys: Sequence[tuple[str, str]]) -> str:
    """What the marks of a cloud mean; a key is a class of the page's style and words. As HTML."""
    items = "".join(f"<li>{_key(kind)}{escape(words)}</li>" for kind, words in keys)
    return f'<ul class="legend">{items}</ul>'


def _key(kind: str) -> str:
    shapes = {
        "front": '<polyline class="front" points="1,3 9,3 9,11 17,11"/>',
        "bound": '<circle class="dot kept" cx="9" cy="4" r="3"/><line class="bound" x1="9" x2="9" y1="7" y2="14"/>',
        "sizes": '<circle class="dot kept" cx="3" cy="7" r="2"/><circle class="dot kept" cx="12" cy="7" r="5"/>',
        "edge": _triangle((9, 11), "", "dot faint"),
    }
    shape = shapes.get(kind) or _charts.circle((9, 7), "", f"dot {kind}", radius=2.5 if kind == "faint" else 5)
    return f'<svg class="key" aria-hidden="true" width="18" height="14">{shape}</svg>'


def _axis(side: Side, values: Sequence[float], ends: tuple[float, float]) -> Axis:
    """An axis with room for every point, and for limits that do not lie far away."""
    shown = [value for value in values if value > _LEAST or not side.log]
    low, high = side.ends or _around(side, shown or [1.0])
    if side.log:
        low, high = math.log(low), math.log(high)
    room = _ROOM * max(high - low, 0.01)
    low, high = low - room, high + room
    return Axis(math.exp(low), math.exp(high), *ends, log=True) if side.log else Axis(low, high, *ends)


def _around(side: Side, values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    near = [value for value, _ in side.limits if low / _NEAR <= value <= high * _NEAR]
    return min([low, *near]), max([high, *near])


def _clamped(axis: Axis, value: float) -> float:
    return axis.place(min(max(value, axis.low), axis.high))


def _at(mark: Mark, axes: tuple[Axis, Axis]) -> Point:
    return _clamped(axes[0], mark.x), _clamped(axes[1], mark.y)


def _beyond(axes: tuple[Axis, Axis], sides: tuple[Side, Side]) -> Iterator[str]:
    """Shades for what lies beyond a limit."""
    whole = [(axis.start, axis.end) for axis in axes]
    for index, (axis, side) in enumerate(zip(axes, sides, strict=True)):
        worst = axis.start if side.more else axis.end
        for value, _ in side.limits:
            spans = [*whole]
            spans[index] = _clamped(axis, value), worst
            (left, right), (top, bottom) = map(sorted, spans)
            size = f'width="{right - left:.1f}" height="{bottom - top:.1f}"'
            yield f'<rect class="beyond" x="{left:.1f}" y="{top:.1f}" {size}/>'


def _limits(axes: tuple[Axis, Axis], sides: tuple[Side, Side], places: Places) -> Iterator[str]:
    """Lines for limits with their names, which stand at the edge with an arrow where a limit lies outside."""
    x, y = axes
    for axis, side, arrows in zip(axes, sides, ("←→", "↓↑"), strict=True):
        for value, name in side.limits:
            at = _clamped(axis, value)
            inside = axis.low <= value <= axis.high
            if inside:
                ends = (at, at, y.start, y.end) if axis is x else (x.start, x.end, at, at)
                yield '<line class="limit" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>'.format(*ends)
            words = name if inside else f"{name} {arrows[value > axis.high]}"
            box = places.take(_beside_limit(at, _charts.LETTER * len(words), axes, upright=axis is x), must=True)
            if box:
                yield f'<text class="label limit" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape(words)}</text>'


def _beside_limit(at: float, width: float, axes: tuple[Axis, Axis], *, upright: bool) -> Iterator[Box]:
    """Boxes for a limit's name along its line."""
    x, y = axes
    for step in range(8):
        if upright:
            top = y.end + 2 + _labels.LINE * step
            yield from ((left, top, left + width, top + _labels.LINE) for left in (at + 4, at - 4 - width))
        else:
            left = x.end - width - (x.end - x.start - width) * step / 7
            yield from ((left, top, left + width, top + _labels.LINE) for top in (at - 1 - _labels.LINE, at + 2))


def _steps(front: Sequence[Point], axes: tuple[Axis, Axis], side: Side) -> str:
    if not front:
        return ""
    x, y = axes
    places = [(_clamped(x, a), _clamped(y, b)) for a, b in sorted(front)]
    path = [(places[0][0], y.start if side.more else y.end)]
    for place in places:
        path += [(place[0], path[-1][1]), place]
    told = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*path, (x.end, path[-1][1])])
    return f'<polyline class="front" points="{told}"/>'


def _ordered(marks: Sequence[Mark]) -> list[Mark]:
    """The order of drawing: faint ones, then large ones, so that no point hides another, then what is chosen."""
    return sorted(marks, key=lambda mark: (mark.kind != "faint", mark.kind == "chosen", -mark.radius))


def _drawn(mark: Mark, axes: tuple[Axis, Axis]) -> Iterator[str]:
    at, kind = _at(mark, axes), f"dot {mark.kind}"
    for end in (_clamped(axes[1], value) for value in (mark.low, mark.high) if value is not None):
        yield f'<line class="bound" x1="{at[0]:.1f}" x2="{at[0]:.1f}" y1="{at[1]:.1f}" y2="{end:.1f}"/>'
    inside = axes[1].low <= mark.y <= axes[1].high
    if inside:
        yield _charts.circle(at, mark.hint, kind, radius=mark.radius)
    else:
        yield _triangle(at, mark.hint, kind, down=mark.y < axes[1].low)


def _triangle(at: Point, hint: str, kind: str, *, down: bool = True) -> str:
    """A mark on the edge that points to where a point lies outside."""
    shape = "h8l-4,6z" if down else "h8l-4,-6z"
    start = f"M{at[0] - 4:.1f},{at[1] - 6 if down else at[1] + 6:.1f}"
    return f'<path class="{escape(kind)}" d="{start}{shape}"><title>{escape(hint)}</title></path>'


def _names(marks: Sequence[Mark], axes: tuple[Axis, Axis], places: Places) -> Iterator[str]:
    for mark in sorted(marks, key=lambda mark: (mark.kind != "chosen", not mark.must)):
        at = _at(mark, axes)
        ways = [(_labels.lines(name, row), False) for name in mark.names for row in _labels.ROWS]
        ways += [(_labels.lines(name), True) for name in mark.names[-1:] if mark.must]
        for rows, must in ways:
            box = places.take(_labels.around(at, mark.radius, rows), at=at, must=must)
            if box:
                yield _leader(box, at, mark.radius)
                yield _text(box, at, (rows, f"label name {mark.kind}"))
                break


def _leader(box: Box, at: Point, radius: float) -> str:
    """A line from the rim of a point to its name, where that stands apart."""
    end = _labels.nearest(box, at)
    far = math.dist(end, at)
    if far < radius + _INSET:
        return ""
    start = [a + (b - a) * radius / far for a, b in zip(at, end, strict=True)]
    return f'<line class="leader" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def _text(box: Box, at: Point, told: tuple[Sequence[str], str]) -> str:
    """Rows of text in a box, set towards the point that they name."""
    rows, kind = told
    anchors = {"start": box[0], "middle": (box[0] + box[2]) / 2, "end": box[2]}
    anchor = "start" if box[0] >= at[0] else "end" if box[2] <= at[0] else "middle"
    x = f'x="{anchors[anchor]:.1f}"'
    spans = "".join(
        f'<tspan {x} y="{box[1] + _labels.LINE * (index + 1) - 3:.1f}">{escape(row)}</tspan>'
        for index, row in enumerate(rows)
    )
    return f'<text class="{escape(kind)}" text-anchor="{anchor}">{spans}</text>'

"""Charts as inline SVG, drawn with the page's own colours so that they follow its light and dark scheme.

Every builder takes plain numbers and gives SVG text in which all words are escaped. Coordinates are in the units of
the chart's own view box (WIDTH by HEIGHT); the page scales it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from lepton.report import _words

WIDTH, HEIGHT = 440.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 14.0, 44.0
_STEP = 22.0  # height of a row of dumbbells
_NOTHING = 1e-12  # a spread that is none: nothing could be told apart on it
LETTER = 7.2  # about the width of a letter at 12 units, to leave room for labels

Point = tuple[float, float]
"""A place (x, y) in the data's units."""

Form = Callable[[float], str]
"""How a value is written."""


@dataclass(frozen=True)
class Move:
    """A share that was `before` and is `after`, with a remark at its end; `mark` is a class of the page's style."""

    name: str
    before: float
    after: float
    remark: str
    mark: str = ""


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high` data units, drawn from `start` to `end`; with `log` (then above 0) by magnitude."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value lies."""
        value, low, high = map(math.log, (value, self.low, self.high)) if self.log else (value, self.low, self.high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """Round values on the axis, about `count` of them."""
        return (log_ticks if self.log else ticks)(self.low, self.high, count)


def bar(value: float, low: float | None, high: float | None, *, mark: str = "", name: str = "") -> str:
    """A horizontal bar of a share in [0, 1] with its interval as a whisker; it takes the width it is given."""
    full = _share(value)
    parts = ['<rect class="track" x="0" y="4" width="100%" height="12" rx="2"/>']
    parts.append(f'<rect class="fill {escape(mark)}" x="0" y="4" width="{full}" height="12" rx="2"/>')
    if low is not None and high is not None:
        ends = _share(low), _share(high)
        parts.append(f'<line class="whisker" x1="{ends[0]}" x2="{ends[1]}" y1="10" y2="10"/>')
        parts += [f'<line class="whisker" x1="{end}" x2="{end}" y1="6" y2="14"/>' for end in ends]
    return f'<svg class="bar" role="img" aria-label="{escape(name)}" width="100%" height="20">{"".join(parts)}</svg>'


def line(
    points: Sequence[Point],
    *,
    name: str,
    axes: tuple[str, str],
    form: Form,
    limits: tuple[float, float] | None = None,
    best: int | None = None,
) -> str:
    """A line through `points`. `axes` names x and y, `form` writes values of y; `best` marks one point."""
    known = [point for point in points if all(map(math.isfinite, point))]
    if not known:
        return ""
    x, y = _axes(known, limits)
    parts = [*frame((x, y), axes, (_number, form)), _path(known, (x, y))]
    if len(known) <= 40:
        parts += [circle((x.place(a), y.place(b)), f"{_number(a)}: {form(b)}", "dot") for a, b in known]
    if best is not None and best < len(known):
        at = known[best]
        parts += [circle((x.place(at[0]), y.place(at[1])), f"best: {form(at[1])}", "best", radius=6)]
    return svg(parts, name)


def diagonal(points: Sequence[Point], counts: Sequence[int], *, name: str, axes: tuple[str, str]) -> str:
    """Points of two shares beside the line on which they would be equal; larger points stand for more records."""
    x, y = Axis(0, 1, LEFT, WIDTH - RIGHT), Axis(0, 1, HEIGHT - BOTTOM, TOP)
    ends = f'x1="{x.start}" y1="{y.start}" x2="{x.end}" y2="{y.end}"'
    parts = [*frame((x, y), axes, (_share, _share)), f'<line class="ideal" {ends}/>', _path(points, (x, y))]
    most = max(counts, default=1) or 1
    for (a, b), count in zip(points, counts, strict=True):
        hint = f"{_share(a)} sure, {_share(b)} right, {count:,} records"
        parts.append(circle((x.place(a), y.place(b)), hint, "dot", radius=2.5 + 5 * math.sqrt(count / most)))
    return svg(parts, name)


def dumbbells(moves: Sequence[Move], *, name: str, axis: str) -> str:
    """A line for each move from a hollow dot to a full one, over one axis of shares that shows the part they lie in."""
    shown = [_words.cut(move.name, 18) for move in moves]
    left, right = 20 + LETTER * max(map(len, shown)), WIDTH - 60
    places = _around([share for move in moves for share in (move.before, move.after)], (left, right))
    end = _STEP * len(moves) + 6
    parts = list(_scale(places, end, axis))
    for row, (move, label) in enumerate(zip(moves, shown, strict=True)):
        at = _STEP * (row + 0.5) + 4
        parts.append(f'<text class="name" x="{left - 12:.1f}" y="{at + 4}" text-anchor="end">{escape(label)}</text>')
        parts += _move(move, places, at)
        remark = f'<text class="name {escape(move.mark)}" x="{WIDTH - 2}" y="{at + 4}" text-anchor="end">'
        parts.append(f"{remark}{escape(move.remark)}</text>")
    return svg(parts, name, (WIDTH, end + 40))


def heat(counts: Sequence[Sequence[int]], names: Sequence[str], *, name: str) -> str:
    """A confusion matrix, rows given and columns answered; shades are shares of a row, right and wrong apart."""
    shown = [_words.cut(label, 14) for label in names]
    cell = max(18.0, min(34.0, 520 / max(len(names), 1)))
    margin = 26 + LETTER * max(map(len, shown), default=1)
    side = cell * len(names)
    parts = list(_heat_names(shown, margin, cell))
    for row, line_ in enumerate(counts):
        for column, count in enumerate(line_):
            at = margin + column * cell, margin + row * cell
            hint = f"{names[row]} answered as {names[column]}: {count:,}"
            parts.append(_cell((*at, cell), (count, sum(line_)), (hint, row == column)))
    parts.append(f'<text class="axis" x="{margin + side / 2}" y="12" text-anchor="middle">answered</text>')
    turned = f'transform="rotate(-90 12 {margin + side / 2})"'
    parts.append(f'<text class="axis" x="12" y="{margin + side / 2}" text-anchor="middle" {turned}>given</text>')
    return svg(parts, name, (margin + side + 6, margin + side + 6))


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values from `low` to `high`, about `count` of them."""
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= 0.75 * rough)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values from `low` to `high`, both above 0, evenly spread by magnitude; about `count` of them."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(found) <= count + 1:
            break
    return found if len(found) > 1 else ticks(low, high, count)


def _move(move: Move, places: Axis, at: float) -> list[str]:
    before, after = places.place(move.before), places.place(move.after)
    hint = f"{move.name}: {_share(move.before)} before, {_share(move.after)} after"
    track = f'<line class="drift {escape(move.mark)}" x1="{before:.1f}" x2="{after:.1f}" y1="{at}" y2="{at}"/>'
    first = circle((before, at), hint, "dot missed", radius=4.5)
    return [track, first, circle((after, at), hint, f"dot {move.mark}", radius=5)]


def _around(shares: Sequence[float], ends: Point) -> Axis:
    """An axis of shares around those given, with a little room, also where they are all the same."""
    low, high = min(shares), max(shares)
    room = max(0.06 * (high - low), (0.05 - (high - low)) / 2, 0.01)
    return Axis(max(0.0, low - room), min(1.0, high + room), *ends)


def _scale(places: Axis, end: float, name: str) -> Iterator[str]:
    """The grid and the words of an axis along the bottom, at `end`."""
    for value in ticks(places.low, places.high, 5):
        x = places.place(value)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{end:.1f}"/>'
        yield f'<text x="{x:.1f}" y="{end + 16:.1f}" text-anchor="middle">{_share(value)}</text>'
    middle = (places.start + places.end) / 2
    yield f'<text class="axis" x="{middle:.1f}" y="{end + 34:.1f}" text-anchor="middle">{escape(name)}</text>'


def _heat_names(names: Sequence[str], margin: float, cell: float) -> Iterator[str]:
    for index, label in enumerate(names):
        middle = margin + (index + 0.5) * cell
        turn = f'transform="rotate(-90 {middle + 4} {margin - 6})"' if max(map(len, names)) > 3 else ""
        anchor = "start" if turn else "middle"
        x = middle + (4 if turn else 0)
        yield f'<text x="{margin - 6}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>'
        yield f'<text x="{x}" y="{margin - 6}" text-anchor="{anchor}" {turn}>{escape(label)}</text>'


def _cell(place: tuple[float, float, float], counts: tuple[int, int], words: tuple[str, bool]) -> str:
    (x, y, side), (count, total), (hint, right) = place, counts, words
    share = count / total if total else 0.0
    # The root makes a few mistakes among hundreds of right answers visible.
    shade = (0.12 + 0.88 * math.sqrt(share)) if count else 0.0
    kind = "right" if right else "wrong"
    box = f'<rect class="{kind}" x="{x + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}" rx="2"'
    text = ""
    if count:
        small = min(12.0, side * 1.5 / max(len(str(count)), 2))
        strong = " on" if shade > 0.6 else ""
        middle = x + side / 2, y + side / 2 + small * 0.35
        text = f'<text class="count{strong}" x="{middle[0]}" y="{middle[1]:.1f}" font-size="{small:.1f}">{count}</text>'
    return f'<g><title>{escape(hint)}</title>{box} fill-opacity="{shade:.2f}"/>{text}</g>'


def _axes(points: Sequence[Point], limits: tuple[float, float] | None) -> tuple[Axis, Axis]:
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    low, high = limits or (min(ys), max(ys))
    spread = next(room for room in (high - low, abs(high), 1.0) if room > _NOTHING)
    bottom, top = (low, high) if limits else (low - 0.08 * spread, high + 0.08 * spread)
    across = (min(xs), max(xs) if max(xs) - min(xs) > _NOTHING else min(xs) + 1)
    return Axis(*across, LEFT, WIDTH - RIGHT), Axis(bottom, top, HEIGHT - BOTTOM, TOP)


def frame(axes: tuple[Axis, Axis], names: tuple[str, str], forms: tuple[Form, Form]) -> Iterator[str]:
    """Grid, ticks and words of two axes; no tick where a form gives no words for it."""
    x, y = axes
    for value, words in ((value, words) for value in y.ticks(4) if (words := forms[1](value))):
        at = y.place(value)
        yield f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{x.start - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(words)}</text>'
    for value in x.ticks(6):
        if names[0] == "epoch" and value % 1:
            continue
        words = forms[0](value)
        yield f'<text x="{x.place(value):.1f}" y="{y.start + 17}" text-anchor="middle">{escape(words)}</text>'
    yield f'<line class="base" x1="{x.start}" x2="{x.end}" y1="{y.start}" y2="{y.start}"/>'
    middle = (x.start + x.end) / 2
    yield f'<text class="axis" x="{middle}" y="{y.start + 38}" text-anchor="middle">{escape(names[0])}</text>'
    turn = f'transform="rotate(-90 12 {(y.start + y.end) / 2})"'
    yield f'<text class="axis" x="12" y="{(y.start + y.end) / 2}" text-anchor="middle" {turn}>{escape(names[1])}</text>'


def _path(points: Sequence[Point], axes: tuple[Axis, Axis]) -> str:
    places = " ".join(f"{axes[0].place(a):.1f},{axes[1].place(b):.1f}" for a, b in points)
    return f'<polyline class="line" points="{places}"/>'


def circle(at: Point, hint: str, mark: str, *, radius: float = 3.5) -> str:
    """A dot that tells `hint` when it is pointed at; `mark` has its classes of the page's style."""
    title = f"<title>{escape(hint)}</title>"
    return f'<circle class="{escape(mark)}" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:.1f}">{title}</circle>'


def svg(parts: Sequence[str], name: str, size: tuple[float, float] = (WIDTH, HEIGHT)) -> str:
    """The parts as one picture of that size, called `name` for who does not see it."""
    box = f"0 0 {size[0]:.0f} {size[1]:.0f}"
    widest = f"max-width: {1.3 * size[0]:.0f}px"
    head = f'<svg class="chart" role="img" aria-label="{escape(name)}" viewBox="{box}" style="{widest}">'
    return f"{head}{''.join(parts)}</svg>"


def _share(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.4g}%"


def _number(value: float) -> str:
    return f"{value:.4g}"

"""Places for labels beside points, so that none lies on another, on a point, or outside."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lepton.report import _words
from lepton.report._charts import LETTER, Point

LINE = 14.0
"""Height of a line of text, in the chart's units."""

ROWS = (22, 34)
"""Letters that a line of a label has at most: what is tried, in this order."""

_MOST = 4  # lines of a label
_GAP = 5.0
_FAR = (0.0, 10.0, 20.0, 32.0, 46.0)  # how far from its point a label may stand
_HALVES = (0.0, -0.5, 0.5, -1.0, 1.0)
_WAYS = sorted(
    ((x, y) for x in _HALVES[::-1] for y in _HALVES if max(abs(x), abs(y)) == 1), key=lambda way: abs(way[0] * way[1])
)
"""Ways from a point to the middle of its label: straight ones first, to the right before all."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass
class Places:
    """What of a picture is taken, in the chart's units.

    A label never lies on another, on a point only where it must, and on a faint point where nothing else is free.
    """

    bounds: Box
    points: list[Box] = field(default_factory=list)
    faint: list[Box] = field(default_factory=list)
    labels: list[Box] = field(default_factory=list)

    def take(self, boxes: Iterable[Box], *, at: Point | None = None, must: bool = False) -> Box | None:
        """The first box that is free, which is taken from then on, or None.

        Where a label `must` stand, it covers as little of the points as it can. A line from the point `at` to the box
        must be free too.
        """
        inside = [box for box in boxes if _inside(box, self.bounds) and not _covered(box, self.labels)]
        costs = [(self._hidden(box, at), _covered(box, self.faint), index) for index, box in enumerate(inside)]
        known = [cost for cost in costs if must or not cost[0]]
        if not known:
            return None
        self.labels.append(inside[min(known)[-1]])
        return self.labels[-1]

    def _hidden(self, box: Box, at: Point | None) -> float:
        """How much of points a label hides, or of points and labels its line crosses."""
        if at is None:
            return _covered(box, self.points)
        others = [other for other in (*self.points, *self.labels) if not _covers(other, at)]
        line = [_between(at, nearest(box, at), step / 12) for step in range(1, 12)]
        return _covered(box, self.points) + sum(_covers(other, point) for other in others for point in line)


def lines(text: str, row: int = ROWS[0]) -> list[str]:
    """`text` broken into the few short lines of a label, before an arrow where it has one."""
    pieces = text.replace(" \N{RIGHTWARDS ARROW} ", "\n\N{RIGHTWARDS ARROW}\N{NO-BREAK SPACE}").split("\n")
    found = [line for piece in _joined(pieces, row) for line in textwrap.wrap(piece, row)]
    return found if len(found) <= _MOST else [*found[: _MOST - 1], _words.cut(" ".join(found[_MOST - 1 :]), row)]


def around(at: Point, radius: float, rows: Sequence[str]) -> Iterator[Box]:
    """Boxes for `rows` of text beside a point, the nearest first."""
    width, height = LETTER * max(map(len, rows)), LINE * len(rows)
    for far in _FAR:
        away = radius + _GAP + far
        for x, y in _WAYS:
            left = at[0] + x * (away + width / 2) - width / 2
            top = at[1] + y * (away + height / 2) - height / 2
            yield left, top, left + width, top + height


def square(at: Point, radius: float) -> Box:
    """The box around a point."""
    return at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius


def nearest(box: Box, at: Point) -> Point:
    """The point of a box that is nearest to `at`."""
    return min(max(at[0], box[0]), box[2]), min(max(at[1], box[1]), box[3])


def _joined(pieces: Sequence[str], row: int) -> list[str]:
    """Pieces in as few lines as hold them."""
    found: list[str] = []
    for piece in pieces:
        if found and len(found[-1]) + 1 + len(piece) <= row:
            found[-1] += f" {piece}"
        else:
            found.append(piece)
    return found


def _inside(box: Box, bounds: Box) -> bool:
    return box[0] >= bounds[0] and box[1] >= bounds[1] and box[2] <= bounds[2] and box[3] <= bounds[3]


def _covered(box: Box, others: Sequence[Box]) -> float:
    """The area of a box that others lie on."""
    shared = ((min(box[2], c) - max(box[0], a), min(box[3], d) - max(box[1], b)) for a, b, c, d in others)
    return sum(width * height for width, height in shared if width > 0 and height > 0)


def _covers(box: Box, point: Point) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def _between(one: Point, other: Point, share: float) -> Point:
    return one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])

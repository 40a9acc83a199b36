"""What a finding shows as proof, drawn: where in pictures, at which frequencies, or how a number is spread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from lepton.report import _charts
from lepton.report._charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis

_LEAST = 3  # tenths from which a place of a map is drawn
_LONGER = 320.0
_FAINTEST = -110.0  # dB; what is softer is what the sample rate cannot carry

Evidence = Mapping[str, Any]


def drawn(evidence: Evidence | None, example: Mapping[str, Any] | None = None) -> str:
    """The evidence as SVG; nothing where there is none or where its kind is not known.

    `example` is the card of a picture on which a map is laid.
    """
    ways: Mapping[str, Callable[[], str]] = {
        "map": lambda: _map(evidence or {}, example or {}),
        "spectrum": lambda: _spectrum(evidence or {}),
        "histogram": lambda: _histogram(evidence or {}),
    }
    way = ways.get((evidence or {}).get("kind", ""))
    return way() if way else ""


def _map(evidence: Evidence, example: Mapping[str, Any]) -> str:
    rows: Sequence[str] = evidence["rows"]
    width, height = _size(example.get("shape") or (1, 1))
    parts = [f'<rect class="track" width="{width}" height="{height}"/>']
    if example.get("uri"):
        kind = "tiny" if max(example["shape"]) <= 64 else ""
        box = f'width="{width}" height="{height}" preserveAspectRatio="none"'
        parts.append(f'<image class="{kind}" href="{escape(example["uri"])}" {box}/>')
    cell = width / len(rows[0]), height / len(rows)
    parts += [
        f'<rect class="hot" x="{x * cell[0]:.1f}" y="{y * cell[1]:.1f}" width="{cell[0]:.1f}" height="{cell[1]:.1f}" '
        f'stroke-opacity="{int(tenths) / 9:.2f}"/>'
        for y, row in enumerate(rows)
        for x, tenths in enumerate(row)
        if int(tenths) >= _LEAST
    ]
    return _charts.svg(parts, f"where pictures of {evidence['of']} are told from the others", (width, height))


def _size(shape: Sequence[int]) -> tuple[float, float]:
    """Width and height of the drawing, the longer side being the same always."""
    scale = _LONGER / max(shape)
    return round(shape[0] * scale, 1), round(shape[1] * scale, 1)


def _spectrum(evidence: Evidence) -> str:
    loud = [at for name in ("own", "others") for at, level in enumerate(evidence[name]) if level > _FAINTEST]
    end = max([*loud, evidence["band"]]) + 1
    edges = evidence["hertz"][: end + 1]
    middles = [(low * high) ** 0.5 for low, high in zip(edges, edges[1:], strict=False)]
    lines = {name: [max(level, _FAINTEST) for level in evidence[name][:end]] for name in ("others", "own")}
    both = [*lines["own"], *lines["others"]]
    axes = Axis(edges[0], edges[-1], LEFT, WIDTH - RIGHT, log=True), Axis(min(both), max(both), HEIGHT - BOTTOM, TOP)
    low, high = (axes[0].place(edges[evidence["band"] + at]) for at in (0, 1))
    parts = [f'<rect class="spot" x="{low:.1f}" y="{TOP}" width="{high - low:.1f}" height="{HEIGHT - BOTTOM - TOP}"/>']
    parts += _charts.frame(axes, ("Hz", "dB"), (lambda value: f"{value:g}", lambda value: f"{value:g}"))
    for name, values in lines.items():
        points = " ".join(
            f"{axes[0].place(x):.1f},{axes[1].place(y):.1f}" for x, y in zip(middles, values, strict=True)
        )
        parts.append(f'<polyline class="line {name}" points="{points}"/>')
    return _charts.svg(parts, f"the spectrum of {evidence['of']} and of the others")


def _histogram(evidence: Evidence) -> str:
    edges = evidence["edges"]
    most = max([*evidence["own"], *evidence["others"], 0.01])
    axes = Axis(edges[0], max(edges[-1], edges[0] + 1e-9), LEFT, WIDTH - RIGHT), Axis(0, most, HEIGHT - BOTTOM, TOP)
    forms = (lambda value: f"{value:g}", lambda value: f"{100 * value:.3g} %")
    parts = list(_charts.frame(axes, (evidence["what"], "share"), forms))
    for name in ("others", "own"):
        parts += _bars((evidence[name], edges), axes, name)
    return _charts.svg(parts, f"{evidence['what']} of {evidence['of']} and of the others")


def _bars(counted: tuple[Sequence[float], Sequence[float]], axes: tuple[Axis, Axis], mark: str) -> Iterator[str]:
    shares, edges = counted
    for share, low, high in zip(shares, edges, edges[1:], strict=False):
        if share > 0:
            left, right, top = axes[0].place(low), axes[0].place(high), axes[1].place(share)
            box = f'x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 0.6, 0.6):.1f}"'
            yield f'<rect class="pile {mark}" {box} height="{axes[1].start - top:.1f}"/>'

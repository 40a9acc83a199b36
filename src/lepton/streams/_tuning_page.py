"""What tuning found, as one HTML page: false accepts an hour against missed events, and the mistakes that are left."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lepton import report
from lepton.report import _charts
from lepton.report._charts import Axis, Point
from lepton.streams import _tune

_ROOM = 1.25
_SHOWN = 100


def page(facts: Mapping[str, Any]) -> str:
    """The page as text; `facts` is what `tuning.json` has."""
    style = (Path(str(report.__file__)).parent / "style.css").read_text(encoding="utf-8")
    title = escape(f"{facts['recording']}: tuning of {facts['name']}")
    body = "\n".join([*_head(facts, title), *_curve(facts), *_settings(facts), *_mistakes(facts["mistakes"])])
    return _FRAME.format(title=title, style=style, body=body)


_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def headline(facts: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    if not facts["kept"]:
        found, rule = (
            facts["fitted"],
            f"No setting that finds an event keeps to {facts['limit']:g} false accepts an hour",
        )
        return f"{rule}: the best has {_missed(found)} and {_rate(found)}."
    found = facts["held_out"]
    if found is None:
        return f"{_missed(facts['fitted'])} and {_rate(facts['fitted'])}, on the recording that it was fitted to."
    return f"{_missed(found)} and {_rate(found)}, each half counted with what was fitted to the other."


def _head(facts: Mapping[str, Any], title: str) -> Iterator[str]:
    mark = "" if facts["kept"] else " bad"
    yield f'<header><h1>{title}</h1><p class="headline{mark}">{escape(headline(facts))}</p></header><main>'


def _curve(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "<section><h2>False accepts against missed events</h2>"
    yield _chart(facts)
    yield '<ul class="legend"><li>line: settings that no other beats on the whole recording</li>'
    yield "<li>ring: the chosen one there</li><li>dot with 95 % intervals: halves not fitted to</li></ul>"
    seconds = facts["seconds"]
    yield f'<p class="note">{seconds / 60:.1f} minutes with {facts["fitted"]["events"]} events. A hit is right up to '
    yield f"{facts['within_ms']:g} ms after its event's end. {escape(_allowed(facts))}</p></section>"


def _chart(facts: Mapping[str, Any]) -> str:
    held = facts["held_out"]
    chosen, apart = _point(facts["fitted"]), _point(held or facts["fitted"])
    widest = _ROOM * max(2 * facts["limit"], chosen[0], apart[0])
    points = [(one["false_per_hour"], one["missed_share"]) for one in facts["frontier"]]
    shown = [point for point in points if point[0] <= widest]
    highest = min(1.0, _ROOM * max(0.02, chosen[1], apart[1], *(point[1] for point in shown)))
    x = Axis(0, widest, _charts.LEFT, _charts.WIDTH - _charts.RIGHT)
    y = Axis(0, highest, _charts.HEIGHT - _charts.BOTTOM, _charts.TOP)
    parts = [*_charts.frame((x, y), ("false accepts an hour", "events missed"), ("{:g}".format, _share))]
    edge = x.place(facts["limit"])
    parts.append(f'<line class="limit" x1="{edge:.1f}" x2="{edge:.1f}" y1="{y.start}" y2="{y.end}"/>')
    places = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in shown)
    parts.append(f'<polyline class="line" points="{places}"/>')
    parts.append(_charts.circle((x.place(chosen[0]), y.place(chosen[1])), "chosen", "best", radius=6))
    if held:
        parts += _whiskers(held, (x, y))
    return _charts.svg(parts, "False accepts an hour against events missed")


def _point(found: Mapping[str, Any]) -> Point:
    return found["false_per_hour"]["value"], found["missed_share"]["value"]


def _whiskers(found: Mapping[str, Any], axes: tuple[Axis, Axis]) -> list[str]:
    """A point with its intervals, as far as they lie in the picture."""
    x, y = axes
    false, missed = found["false_per_hour"], found["missed_share"]
    at = x.place(false["value"]), y.place(missed["value"])
    ends = [x.place(min(false[end], x.high)) for end in ("low", "high")]
    tops = [y.place(min(missed[end], y.high)) for end in ("low", "high")]
    return [
        f'<line class="whisker" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{at[1]:.1f}" y2="{at[1]:.1f}"/>',
        f'<line class="whisker" x1="{at[0]:.1f}" x2="{at[0]:.1f}" y1="{tops[0]:.1f}" y2="{tops[1]:.1f}"/>',
        _charts.circle(at, f"{_missed(found)}, {_rate(found)}", "dot", radius=5),
    ]


def _settings(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "<section><h2>The setting</h2>"
    rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in facts["settings"].items()]
    yield _table(("key", "value"), rows)
    figures = [("fitted and counted on all of it", facts["fitted"])]
    figures += [("counted where it was not fitted", facts["held_out"])] if facts["held_out"] else []
    yield _table(("", "missed", "false accepts"), [(name, _missed(one), _rate(one)) for name, one in figures])
    delay = facts["fitted"]["delay_ms"]
    if delay:
        words = f"median {delay['p50']:g} ms, latest {delay['max']:g} ms"
        yield f'<p class="note">Decided after the end of the event: {words}.</p>'
    yield "</section>"


def _mistakes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if rows:
        shown = [(f"{row['time']:.2f} s", row["label"], row["what"], _score(row)) for row in rows[:_SHOWN]]
        yield "<section><h2>What is still wrong</h2>"
        yield _table(("when", "label", "what", "score"), shown)
        yield f'<p class="note">{len(rows):,} in all, on the recording that the setting was fitted to.</p></section>'
    yield "</main>"


def _score(row: Mapping[str, Any]) -> str:
    return f"{row['score']:.2f}" if "score" in row else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _missed(found: Mapping[str, Any]) -> str:
    share = found["missed_share"]
    ends = f"{_share(share['low'])} to {_share(share['high'])}"
    return f"{found['missed']} of {found['events']} events missed ({_share(share['value'])}, 95 % interval {ends})"


def _rate(found: Mapping[str, Any]) -> str:
    rate = found["false_per_hour"]
    ends = " to ".join(f"{rate[end]:.0f}" if rate[end] >= 10 else f"{rate[end]:.2g}" for end in ("low", "high"))
    return f"{rate['value']:.3g} false accepts an hour ({found['false']} seen, 95 % interval {ends})"


def _allowed(facts: Mapping[str, Any]) -> str:
    """What a limit means in a recording of this length."""
    hours, limit = facts["seconds"] / 3600, facts["limit"]
    if limit * hours >= 1:
        return f"The limit of {limit:g} an hour, dashed, allows {int(limit * hours)} in it."
    proof = f"to see none in so short a recording proves no more than fewer than {_tune.poisson(0)[1] / hours:.0f}"
    return f"The limit of {limit:g} an hour, dashed, allows none in it; {proof} an hour."


def _share(value: float) -> str:
    return f"{100 * value:.3g}%"

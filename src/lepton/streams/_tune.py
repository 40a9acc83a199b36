"""Fitting the detector to a recording: what each setting misses, and how often it tells what is not there.

The app answers every window once; then settings are tried on the answers. A figure of the setting that was chosen for
a recording is too good for it, so the recording is cut in two: what was fitted on one half is counted on the other.

Shapes: T windows, C classes, E events.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from lepton.core.progress import Progress
from lepton.metrics._intervals import wilson
from lepton.streams._detector import Hit, Listening, Smoother, Trigger
from lepton.streams._recording import Event, Heard

SILENCES = (-70.0, -60.0, -50.0, -40.0)
"""Decibels below full scale under which a window may count as silence, the lowest first."""

_SMOOTHINGS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
_THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(10, 50))
_RESTS = (200.0, 500.0, 1000.0, 2000.0)

Pair = tuple[int, int]
"""A count in each half of the recording."""


class Found(NamedTuple):
    """What a setting made of the events: those missed (E,) bool, hits that were none, and how late the others came."""

    missed: np.ndarray
    false: list[Hit]
    delays: list[float]


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting, with events missed and false accepts in each half."""

    chosen: Listening
    missed: Pair
    false: Pair


@dataclass(frozen=True, slots=True)
class Truth:
    """The events of a recording that is cut at `cut`. A hit is right up to `within` seconds after an event's end."""

    events: Sequence[Event]
    within: float
    cut: float
    hours: tuple[float, float]

    @property
    def counts(self) -> Pair:
        """The number of events in each half."""
        early = sum(one.start < self.cut for one in self.events)
        return early, len(self.events) - early


@dataclass(frozen=True, slots=True)
class Tuning:
    """The setting chosen on the whole recording, and how the choice does on halves that it was not made on.

    `best` is None where no setting that finds an event keeps the limit, `held_out` where a half has no event.
    """

    tried: Sequence[Tried]
    best: Tried | None
    nearest: Tried
    held_out: tuple[int, int] | None


def truth(events: Sequence[Event], seconds: float, within: float) -> Truth:
    """Cut the recording as near to its middle as no event lies."""
    cut = seconds / 2
    for one in events:
        if one.start <= cut <= one.end + within:
            cut = one.start if cut - one.start < one.end + within - cut else one.end + within
    cut = min(max(cut, 0.0), seconds)
    return Truth(events, within, cut, (cut / 3600, (seconds - cut) / 3600))


def tune(heard: Heard, known: Truth, start: Listening, *, limit: float, progress: Progress) -> Tuning:
    """Try settings around `start`, and choose the one that misses least with at most `limit` false accepts an hour."""
    tried = list(_tried(heard, known, start, progress=progress))
    # One that finds nothing accepts nothing false either.
    finding = [one for one in tried if sum(one.missed) < len(known.events)] or tried
    best = choose(finding, (0, 1), limit * sum(known.hours)) if finding is not tried else None
    nearest = best or min(finding, key=lambda one: (sum(one.false), sum(one.missed)))
    return Tuning(tried, best, nearest, _held_out(tried, known, limit))


def choose(tried: Sequence[Tried], halves: Sequence[int], allowed: float) -> Tried | None:
    """Of the settings with at most `allowed` false accepts on `halves` the one that misses least, or None.

    Of equals it is one with fewest false accepts, then the one whose threshold has most room: where the thresholds
    around it miss and accept no more, a recording that is a little different does as well.
    """

    def costs(one: Tried) -> Pair:
        return sum(one.missed[half] for half in halves), sum(one.false[half] for half in halves)

    kept = [one for one in tried if costs(one)[1] <= allowed]
    if not kept:
        return None
    least = min(map(costs, kept))
    longest = max(_runs([one for one in kept if costs(one) == least]), key=len)
    return longest[len(longest) // 2]


def detect(heard: Heard, chosen: Listening) -> list[Hit]:
    """The events that the detector finds in what was heard."""
    return Trigger(heard.classes, chosen).feed(_means(heard, chosen))


def match(hits: Sequence[Hit], heard: Heard, known: Truth) -> Found:
    """Which events the hits find: each the first that its label has at that time and that no hit has found yet."""
    missed = np.ones(len(known.events), bool)
    own = {name: _Places(known, name) for name in {hit.label for hit in hits}}
    false, delays = [], []
    for hit in hits:
        time = float(heard.ends[hit.window])
        place = next((place for place in own[hit.label].around(time) if missed[place]), None)
        if place is None:
            false.append(hit)
        else:
            missed[place] = False
            delays.append(time - known.events[place].end)
    return Found(missed, false, delays)


def figures(missed: int, false: int, *, events: int, hours: float) -> dict[str, Any]:
    """Share of events missed and false accepts an hour, with 95 % intervals (Wilson's, and Garwood's of 1936)."""
    low, high = wilson(missed, events)
    rates = poisson(false)
    return {
        "events": events,
        "missed": missed,
        "missed_share": {"value": missed / events, "low": low, "high": high},
        "false": false,
        "hours": hours,
        "false_per_hour": {"value": false / hours, "low": rates[0] / hours, "high": rates[1] / hours},
    }


def poisson(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a Poisson mean of which `count` were seen (Garwood, 1936), two-sided."""
    tail = (1 - level) / 2
    low = _root(lambda mean: 1 - _at_most(count - 1, mean) - tail, count) if count else 0.0
    return low, _root(lambda mean: tail - _at_most(count, mean), count)


def settings(chosen: Listening) -> dict[str, Any]:
    """What a client sends as its first frame: rate and format are its microphone's to say."""
    names = ("window_ms", "hop_ms", "silence_db", "smoothing", "threshold", "refractory_ms")
    return {**{name: getattr(chosen, name) for name in names}, "ignore": list(chosen.ignore)}


def facts(heard: Heard, known: Truth, tuning: Tuning) -> dict[str, Any]:
    """What was found, as JSON says it: figures on the whole recording and on halves held out, and the mistakes left."""
    chosen, hours = tuning.nearest.chosen, sum(known.hours)
    found = match(detect(heard, chosen), heard, known)
    whole = figures(int(found.missed.sum()), len(found.false), events=len(known.events), hours=hours)
    apart = figures(*tuning.held_out, events=len(known.events), hours=hours) if tuning.held_out else None
    delays = {"p50": _ms(np.median(found.delays)), "max": _ms(max(found.delays))} if found.delays else None
    return {
        "seconds": round(heard.seconds, 3),
        "within_ms": _ms(known.within),
        "kept": tuning.best is not None,
        "settings": settings(chosen),
        "fitted": {**whole, "delay_ms": delays},
        "held_out": apart,
        "frontier": _frontier(tuning.tried, known),
        "mistakes": _mistakes(heard, known, found),
    }


def _frontier(tried: Sequence[Tried], known: Truth) -> list[dict[str, float]]:
    """Settings that no other beats in both false accepts and events missed, fewest false accepts first."""
    found: list[dict[str, float]] = []
    for false, missed in sorted({(sum(one.false), sum(one.missed)) for one in tried}):
        share = missed / len(known.events)
        if not found or share < found[-1]["missed_share"]:
            found.append({"false_per_hour": false / sum(known.hours), "missed_share": share})
    return found


def _mistakes(heard: Heard, known: Truth, found: Found) -> list[dict[str, Any]]:
    """Events that were missed and hits that were none, in the order of their times."""
    missed = [one for one, lost in zip(known.events, found.missed, strict=True) if lost]
    rows = [{"time": one.start, "label": one.label, "what": "missed"} for one in missed]
    for hit in found.false:
        rows.append({"time": _seconds(heard, hit), "label": hit.label, "what": "false accept", "score": hit.score})
    return sorted(rows, key=lambda row: row["time"])


def _seconds(heard: Heard, hit: Hit) -> float:
    return round(float(heard.ends[hit.window]), 3)


def _tried(heard: Heard, known: Truth, start: Listening, *, progress: Progress) -> Iterator[Tried]:
    outer = [replace(start, silence_db=quiet, smoothing=many) for quiet in SILENCES for many in _SMOOTHINGS]
    with progress.bar("trying settings", len(outer) * len(_RESTS) * len(_THRESHOLDS)) as bar:
        for one in outer:
            means = _means(heard, one)
            for rest in _RESTS:
                for threshold in _THRESHOLDS:
                    chosen = replace(one, refractory_ms=rest, threshold=threshold)
                    yield _count(
                        match(Trigger(heard.classes, chosen).feed(means), heard, known), heard, (chosen, known)
                    )
                bar.step(len(_THRESHOLDS))


def _means(heard: Heard, chosen: Listening) -> np.ndarray:
    rows = np.where((heard.levels >= chosen.silence_db)[:, None], heard.rows, 0.0)
    return Smoother(chosen.smoothing, rows.shape[1]).feed(rows)


def _count(found: Found, heard: Heard, how: tuple[Listening, Truth]) -> Tried:
    chosen, known = how
    lost = [one.start < known.cut for one, missed in zip(known.events, found.missed, strict=True) if missed]
    false = [float(heard.ends[hit.window]) < known.cut for hit in found.false]
    return Tried(chosen, (sum(lost), len(lost) - sum(lost)), (sum(false), len(false) - sum(false)))


def _held_out(tried: Sequence[Tried], known: Truth, limit: float) -> tuple[int, int] | None:
    """Events missed and false accepts of both halves, each with the setting chosen on the other."""
    if not all(known.counts):
        return None
    missed = false = 0
    for half in (0, 1):
        found = choose(tried, (1 - half,), limit * known.hours[1 - half]) or _strictest(tried, 1 - half)
        missed += found.missed[half]
        false += found.false[half]
    return missed, false


def _strictest(tried: Sequence[Tried], half: int) -> Tried:
    return min(tried, key=lambda one: (one.false[half], one.missed[half]))


def _runs(tried: Sequence[Tried]) -> list[list[Tried]]:
    """Settings that differ in the threshold alone, by one step each, together; lists of them in the order tried."""
    runs: list[list[Tried]] = []
    for one in tried:
        if not runs or not _follows(runs[-1][-1].chosen, one.chosen):
            runs.append([])
        runs[-1].append(one)
    return runs


def _follows(one: Listening, other: Listening) -> bool:
    """Whether `other` was tried next after `one`, and has but a higher threshold."""
    step = _THRESHOLDS.index(other.threshold) - _THRESHOLDS.index(one.threshold)
    return step == 1 and replace(one, threshold=other.threshold) == other


class _Places:
    """Where the events of one label are."""

    def __init__(self, known: Truth, label: str) -> None:
        self._events = known.events
        self._places = [place for place, one in enumerate(known.events) if one.label == label]
        self._within = known.within
        # One event may lie inside another: the latest end of all up to each.
        self._latest = list(accumulate((self._events[place].end for place in self._places), max))

    def around(self, time: float) -> Iterator[int]:
        """Events that have started by `time` and were not over for long, in order."""
        earliest = time - self._within
        for place in self._places[bisect_left(self._latest, earliest) :]:
            if self._events[place].start > time:
                return
            if self._events[place].end >= earliest:
                yield place


def _at_most(count: int, mean: float) -> float:
    """The chance of at most `count` where `mean` are due."""
    if mean == 0:
        return 1.0
    logs = (step * math.log(mean) - mean - math.lgamma(step + 1) for step in range(count + 1))
    return math.fsum(math.exp(log) for log in logs)


def _root(rising: Any, count: int) -> float:
    """Where a rising function of a mean is 0, near `count`."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def _ms(seconds: float) -> float:
    return round(1000 * float(seconds), 1)

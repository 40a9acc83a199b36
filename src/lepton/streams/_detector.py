"""From the probabilities of window after window to events: smoothing, a threshold, and a time of rest.

The server and `lepton tune-stream` use this one code, and it does not matter how many windows come at a time: what was
tuned is what runs. Shapes: K windows, C classes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np

from lepton.core import plugins, settings
from lepton.core.errors import Faults, UserError
from lepton.core.settings import Range
from lepton.runtime.app import App
from lepton.streams._sound import Format

_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Listening:
    """How a stream is listened to.

    rate: samples a second; the app's own where left open. format: how samples are written.
    window_ms: the stretch that is answered at a time; the app's own length where left open. hop_ms: from one window
    to the next. silence_db: a window less loud, in decibels below full scale, counts as silence and is not answered.
    smoothing: windows over which probabilities are averaged. threshold: the average a label needs to be an event;
    `thresholds` has those of labels that need another. refractory_ms: for so long after an event there is no other.
    ignore: labels that are no events, such as silence. scores: whether every window's answer is told too.
    """

    rate: Annotated[int, Range(1_000, 192_000)] | None = None
    format: Format = "s16le"
    window_ms: Annotated[float, Range(20, 10_000)] | None = None
    hop_ms: Annotated[float, Range(10, 10_000)] = 50.0
    silence_db: Annotated[float, Range(-120, 0)] = -60.0
    smoothing: Annotated[int, Range(1, 100)] = 5
    threshold: Annotated[float, Range(0, 1)] = 0.7
    thresholds: Mapping[str, float] | None = None
    refractory_ms: Annotated[float, Range(0, 60_000)] = 500.0
    ignore: tuple[str, ...] = ()
    scores: bool = False


class Hit(NamedTuple):
    """A label whose average reached its threshold in the window number `window`."""

    window: int
    label: str
    score: float


def listening(given: Mapping[str, Any], app: App) -> Listening:
    """The settings with what was left open taken from the app.

    Raises UserError for an app that does not tell classes of sound, and Faults for settings that are wrong.
    """
    if app.task != "audio-classification":
        rule = "A stream is listened to by an app for audio-classification"
        raise UserError(f"{app.name} does not take a stream", rule=rule, received=app.task)
    values, faults = settings.resolve(Listening, given, "stream")
    faults += _label_faults(values, app.manifest.classes) if not faults else []
    if faults:
        raise Faults("The stream", faults)
    own = app.manifest.transform.settings
    values["rate"] = values["rate"] or int(own.get("rate", 16_000))
    values["window_ms"] = values["window_ms"] or 1000 * float(own.get("seconds", _SECONDS))
    return Listening(**values)


def sizes(chosen: Listening) -> tuple[int, int]:
    """Samples of a window, and from one window to the next; the settings must be complete."""
    length, hop = (round((chosen.rate or 0) * each / 1000) for each in (chosen.window_ms or 0, chosen.hop_ms))
    return max(1, length), max(1, hop)


def chances(answer: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> list[float]:
    """The probabilities of a full answer in the order of `classes`."""
    found = {item["label"]: item["score"] for item in answer}
    return [found[name] for name in classes]


class Smoother:
    """Averages each row of probabilities with those before it; before the first there was silence."""

    def __init__(self, smoothing: int, classes: int) -> None:
        self._smoothing = smoothing
        self._last = np.zeros((smoothing - 1, classes))

    def feed(self, rows: np.ndarray) -> np.ndarray:
        """The averages (K, C) of the next rows (K, C)."""
        known = np.concatenate([self._last, rows])
        self._last = known[len(rows) :]
        # Added in one order whatever comes together, so that the averages are the same to the last bit.
        total = np.zeros_like(rows, np.float64)
        for back in range(self._smoothing):
            total += known[back : back + len(rows)]
        return total / self._smoothing


class Trigger:
    """Finds where the most probable label rises to its threshold, with a time of rest after each event.

    A label can be an event again when it has been below its threshold in between.
    """

    def __init__(self, classes: Sequence[str], chosen: Listening) -> None:
        special = chosen.thresholds or {}
        self._classes = list(classes)
        self._needed = np.array([special.get(name, chosen.threshold) for name in classes], np.float64)
        self._ignored = np.array([name in chosen.ignore for name in classes])
        self._rest = int(np.ceil(chosen.refractory_ms / chosen.hop_ms))
        self.count = 0  # windows so far
        self._above = -1
        self._quiet_until = 0

    def feed(self, means: np.ndarray) -> list[Hit]:
        """The events among the next windows, whose averages are `means` (K, C)."""
        shown = np.where(self._ignored, -1, means)
        top = shown.argmax(1)
        scores = shown[np.arange(len(top)), top]
        above = np.where(scores >= self._needed[top], top, -1)
        before = np.concatenate([[self._above], above[:-1]])
        rises = np.flatnonzero((above >= 0) & (above != before))
        hits = [self._hit(int(place), int(top[place]), float(scores[place])) for place in rises]
        self._above = int(above[-1]) if len(above) else self._above
        self.count += len(means)
        return [hit for hit in hits if hit is not None]

    def _hit(self, place: int, label: int, score: float) -> Hit | None:
        window = self.count + place
        if window < self._quiet_until:
            return None
        self._quiet_until = window + self._rest
        return Hit(window, self._classes[label], score)


class Detector:
    """Finds events in probabilities that come a few windows at a time."""

    def __init__(self, classes: Sequence[str], chosen: Listening) -> None:
        self._smoother = Smoother(chosen.smoothing, len(classes))
        self._trigger = Trigger(classes, chosen)

    @property
    def count(self) -> int:
        """The number of windows so far."""
        return self._trigger.count

    def feed(self, rows: np.ndarray) -> list[Hit]:
        """The events among the next windows, whose probabilities are `rows` (K, C); silence is a row of zeros."""
        return self._trigger.feed(self._smoother.feed(rows))


def _label_faults(values: Mapping[str, Any], classes: Sequence[str]) -> list[UserError]:
    special = values["thresholds"] or {}
    faults = [*_unknown("ignore", values["ignore"], classes), *_unknown("thresholds", special, classes)]
    for name, value in special.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            rule = "It must be a number between 0 and 1"
            faults.append(UserError(f"[stream.thresholds.{name}] is wrong", rule=rule, received=repr(value)))
    if set(values["ignore"]) >= set(classes):
        faults.append(UserError("[stream.ignore] is wrong", rule="It must leave a label that can be an event"))
    return faults


def _unknown(key: str, names: Iterable[str], classes: Sequence[str]) -> list[UserError]:
    return [plugins.unknown(f"label in [stream.{key}]", name, list(classes)) for name in names if name not in classes]

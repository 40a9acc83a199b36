"""One stream that is listened to: what is kept of it, and how an app hears it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from lepton.runtime.app import MAX_BATCH, App
from lepton.streams._detector import Detector, chances, listening, sizes
from lepton.streams._sound import Samples, Window, Windows, wav

_TOGETHER = 2**18  # bytes of windows that are asked at a time, or one window


class Ear:
    """What is kept of a stream: the samples of one window, and what the detector remembers."""

    def __init__(self, app: App, given: Mapping[str, Any]) -> None:
        self.app = app
        self.chosen = listening(given, app)
        self.classes = list(app.manifest.classes)
        length, hop = sizes(self.chosen)
        self._given = given
        self._length = length
        self._samples = Samples(self.chosen.format)
        self._windows = Windows(length, hop)
        self._detector = Detector(self.classes, self.chosen)
        self._window_bytes = length * (2 if self.chosen.format == "s16le" else 4)
        self._heard = 0

    @property
    def memory(self) -> int:
        """Bytes that the stream keeps at most beside the chunk it is fed: a window, and those that are asked."""
        return 3 * self._window_bytes + 2 * _TOGETHER

    @property
    def seconds(self) -> float:
        """How much was heard."""
        return self._place(self._heard)

    def windows(self, chunk: bytes) -> Iterator[list[Window]]:
        """The windows that a chunk completes, in lists to be asked together."""
        samples = self._samples.feed(chunk)
        self._heard += len(samples)
        found = self._windows.feed(samples)
        together = max(1, min(MAX_BATCH, _TOGETHER // self._window_bytes))
        while some := list(islice(found, together)):
            yield some

    def wav(self, window: Window) -> bytes:
        """A window as the file that the app is asked."""
        return wav(window.samples, self.chosen.rate or 0)

    def span(self, window: Window) -> dict[str, float]:
        """Where a window lies, in seconds from the stream's start."""
        return {"start": self._place(window.start), "end": self._place(window.start + self._length)}

    def events(self, windows: Sequence[Window], answers: Mapping[int, Any]) -> list[dict[str, Any]]:
        """The events among windows, of which `answers` has those that were no silence by their place."""
        rows = np.zeros((len(windows), len(self.classes)))
        for place, answer in answers.items():
            rows[place] = chances(answer, self.classes)
        first = self._detector.count
        hits = self._detector.feed(rows)
        return [{"label": hit.label, "score": hit.score, **self.span(windows[hit.window - first])} for hit in hits]

    def takes(self, app: App) -> bool:
        """Whether the stream can go on with `app`, which came in the place of its own: it listens as that did."""
        if app is not self.app:
            if list(app.manifest.classes) != self.classes or listening(self._given, app) != self.chosen:
                return False
            self.app = app
        return True

    def _place(self, sample: int) -> float:
        return round(sample / (self.chosen.rate or 1), 4)

"""Counts and times for Prometheus."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CHANCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Meters:
    """What happened since the start, by app: requests by status, times, batches, the queue, answers by class.

    Workers that share a port add theirs together where PROMETHEUS_MULTIPROC_DIR names a folder they share.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._apps: dict[str, AppMeters] = {}
        make = _maker(self._registry)
        self._requests = make(Counter, "requests", "Requests answered, by status", "status")
        self._seconds = make(Histogram, "request_seconds", "Seconds from request to answer", buckets=_SECONDS)
        self._batch = make(Histogram, "batch_size", "Inputs that ran together", buckets=_SIZES)
        self._waiting = make(Gauge, "queue_length", "Requests that wait", multiprocess_mode="livesum")
        self._dropped = make(Counter, "dropped", "Requests dropped because nobody waited any more")
        self._answers = make(Counter, "answers", "Answers, by the label chosen", "label")
        self._confidence = make(Histogram, "confidence", "Scores of the labels chosen", buckets=_CHANCES)

    def of(self, app: str) -> "AppMeters":
        """The meters of one app."""
        found = self._apps.get(app)
        if found is None:
            found = self._apps[app] = AppMeters(self, app)
        return found

    def refused(self, status: int) -> None:
        """Count a request that reached no app."""
        self._requests.labels("", str(status)).inc()

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


class AppMeters:
    """The meters of one app, each looked up once."""

    def __init__(self, meters: Meters, app: str) -> None:
        self._meters = meters
        self._app = app
        self._status: dict[int, Any] = {}
        self._label: dict[str, Any] = {}
        self.batch = meters._batch.labels(app)
        self.waiting = meters._waiting.labels(app)
        self.dropped = meters._dropped.labels(app)
        self._seconds = meters._seconds.labels(app)

    def answered(self, status: int, seconds: float) -> None:
        """Count one request."""
        found = self._status.get(status)
        if found is None:
            found = self._status[status] = self._meters._requests.labels(self._app, str(status))
        found.inc()
        if status == 200:
            self._seconds.observe(seconds)

    def decided(self, answers: Sequence[Any]) -> None:
        """Count the labels that answers chose, and how sure they were."""
        for answer in answers:
            if answer and isinstance(answer, list) and "label" in answer[0]:
                self._count(answer[0])

    def _count(self, chosen: dict[str, Any]) -> None:
        label = chosen["label"]
        if label not in self._label:
            self._label[label] = self._meters._answers.labels(self._app, label)
        self._label[label].inc()
        self._confidences.observe(chosen["score"])

    @cached_property
    def _confidences(self) -> Any:
        return self._meters._confidence.labels(self._app)


def _maker(registry: CollectorRegistry) -> Callable[..., Any]:
    def make(kind: Any, name: str, about: str, *labels: str, **more: Any) -> Any:
        return kind(f"lepton_{name}", about, ["app", *labels], registry=registry, **more)

    return make

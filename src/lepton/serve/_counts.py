"""Counts and times in the text format of Prometheus."""

from collections import Counter


class Counts:
    """What happened since the start: requests by app and status, inputs and seconds by app."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._inputs: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def add(self, app: str, status: int, *, inputs: int = 0, seconds: float = 0.0) -> None:
        """Count one request that `app` answered with `status`."""
        self._requests[app, status] += 1
        self._inputs[app] += inputs
        self._seconds[app] += seconds  # type: ignore[assignment]

    def text(self) -> str:
        """All counts, one a line."""
        lines = ["# TYPE lepton_requests_total counter"]
        lines += [
            f'lepton_requests_total{{app="{app}",status="{code}"}} {n}' for (app, code), n in self._requests.items()
        ]
        for name, counts in (("inputs", self._inputs), ("seconds", self._seconds)):
            lines.append(f"# TYPE lepton_{name}_total counter")
            lines += [f'lepton_{name}_total{{app="{app}"}} {n:g}' for app, n in counts.items()]
        return "\n".join(lines) + "\n"

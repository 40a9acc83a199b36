"""The most memory that a piece of work took, as the system or the accelerator counted it."""

import ctypes
import gc
import re
from pathlib import Path
from types import TracebackType

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """A context manager; afterwards `mb` is the peak in MB (10^6 bytes), None where nothing counts it.

    On a GPU it is what its tensors took; else what the whole process had in memory.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.mb: float | None = None

    def __enter__(self) -> "Peak":
        gc.collect()
        self.counts = self._reset()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            self.mb = torch.cuda.max_memory_allocated(self.device) / 1e6
        elif self.counts:
            self.mb = _resident_peak()

    def _reset(self) -> bool:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return True
        try:
            _give_back()
            _RESET.write_text("5")  # Linux: begin the high-water mark of this process anew
        except OSError:
            return False
        return True


def _give_back() -> None:
    """Give memory that earlier work has freed back to the system, where the C library can; else it would count."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident_peak() -> float | None:
    found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) * 1024 / 1e6 if found else None

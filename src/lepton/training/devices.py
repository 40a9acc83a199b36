"""Where training runs, and what precision it has there."""

from contextlib import AbstractContextManager, nullcontext

import torch

from lepton.core import machine
from lepton.core.errors import UserError
from lepton.training import processes


def choose(name: str) -> torch.device:
    """The device by name ("auto", "cpu", "cuda"); "auto" takes a GPU where one is, and each process one of its own.

    Raises UserError when a GPU is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() and not processes.on_cpu() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("There is no GPU that PyTorch can use", received="device = 'cuda'", remedy="Say device = 'cpu'")
    return torch.device(name, processes.local()[0]) if name == "cuda" and processes.launched() else torch.device(name)


def set_threads(count: int | None) -> int:
    """Let PyTorch use `count` processor threads (None: this process's share of the cores); returns the number."""
    chosen = count or max(1, machine.cores() // processes.local()[1])
    torch.set_num_threads(chosen)
    return chosen


def precision(name: str, device: torch.device) -> AbstractContextManager[object]:
    """The autocast context: bf16 on a GPU that has it when `name` is "auto", or where it is asked for."""
    wanted = name == "bf16" or (name == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported())
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()

"""What machine this is: figures hold for one machine, and say which."""

import os
import platform
from functools import cache
from pathlib import Path
from typing import Any


@cache
def fingerprint() -> dict[str, Any]:
    """Processor, its instruction sets that matter for int8 and bf16, cores allowed, system and Python."""
    facts = _cpuinfo()
    instructions = facts.get("flags") or facts.get("Features") or ""  # x86 and ARM have a word each for them
    return {
        "processor": facts.get("model name", platform.processor() or platform.machine()),
        "instructions": sorted(set(instructions.split()) & _WATCHED),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resident_mb() -> float:
    """Resident memory of this process in MB (10^6 bytes); 0.0 where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0.0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


_WATCHED = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp", "i8mm"}


def _cpuinfo() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text().split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}

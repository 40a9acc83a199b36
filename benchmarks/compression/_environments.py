"""Environments of the rivals' own, made on first use under `benchmarks/.environments/`.

A rival's script says in its head what it needs (PEP 723, inline script metadata). What the project pins is pinned
there too, so that ONNX Runtime is the same on both sides.
"""

import json
import re
import subprocess
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1] / ".environments"
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
_HEAD = re.compile(r"^# /// script\n(.*?)^# ///$", re.MULTILINE | re.DOTALL)


def python(script: Path) -> Path:
    """The interpreter that `script` asks for, in an environment that is made when it is not there yet.

    Raises subprocess.CalledProcessError, with pip's words in `stderr`, when it cannot be made.
    """
    wanted = requirements(script)
    folder = ROOT / script.stem.removeprefix("rival_")
    done = folder / "installed.json"
    if not done.exists() or json.loads(done.read_text(encoding="utf-8")) != wanted:
        _make(folder, wanted)
        done.write_text(json.dumps(wanted), encoding="utf-8")
    return folder / "bin" / "python"


def requirements(script: Path) -> list[str]:
    """The packages that the head of `script` names; it has to have one."""
    head = _HEAD.search(script.read_text(encoding="utf-8"))
    if head is None:
        raise ValueError(f"{script} does not say what it needs")
    return list(tomllib.loads(re.sub(r"^# ?", "", head[1], flags=re.MULTILINE))["dependencies"])


def _make(folder: Path, wanted: Sequence[str]) -> None:
    venv.create(folder, with_pip=True, clear=True)
    command = [folder / "bin" / "pip", "install", "--quiet", "--constraint", CONSTRAINTS, *wanted]
    subprocess.run(command, check=True, capture_output=True, text=True)

"""Environments of the rivals' own, made on first use under `benchmarks/.environments/`.

A rival's script says in its head what it needs (PEP 723, inline script metadata). What the project pins is pinned
there too, so that ONNX Runtime is the same on both sides. A rival that cannot live with all of that says which pins it
keeps: `pinned = [...]` in `[tool.environment]`.
"""

import json
import re
import subprocess
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent / ".environments"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_HEAD = re.compile(r"^# /// script\n(.*?)^# ///$", re.MULTILINE | re.DOTALL)


def python(script: Path) -> Path:
    """The interpreter that `script` asks for, in an environment that is made when it is not there yet.

    Raises subprocess.CalledProcessError, with pip's words in `stderr`, when it cannot be made.
    """
    wanted = requirements(script)
    folder = ROOT / script.stem.removeprefix("rival_")
    done = folder / "installed.json"
    if not done.exists() or json.loads(done.read_text(encoding="utf-8")) != wanted:
        _make(folder, script)
        done.write_text(json.dumps(wanted), encoding="utf-8")
    return folder / "bin" / "python"


def requirements(script: Path) -> list[str]:
    """The packages that the head of `script` names."""
    return list(head(script)["dependencies"])


def head(script: Path) -> dict[str, Any]:
    """What `script` says of itself in its head, which it has to have."""
    found = _HEAD.search(script.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{script} does not say what it needs")
    return tomllib.loads(re.sub(r"^# ?", "", found[1], flags=re.MULTILINE))


def _make(folder: Path, script: Path) -> None:
    venv.create(folder, with_pip=True, clear=True)
    pins = folder / "constraints.txt"
    pins.write_text("".join(_pins(head(script))), encoding="utf-8")
    command = [folder / "bin" / "pip", "install", "--quiet", "--constraint", pins, *requirements(script)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _pins(told: dict[str, Any]) -> list[str]:
    """The lines of the project's constraints that hold there."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = told.get("tool", {}).get("environment", {}).get("pinned")
    return lines if kept is None else [line for line in lines if line.partition("==")[0] in kept]

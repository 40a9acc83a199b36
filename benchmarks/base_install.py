"""The application side alone: a fresh environment without torch, its size, a prediction, and a server's start.

Usage: python benchmarks/base_install.py RUN_OR_APP (default runs/digits)
"""

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

from _table import keep

ROOT = Path(__file__).parents[1]
PORT = 8399
STARTS = 5


def main() -> None:
    """Install into an empty environment and keep what was measured there."""
    app = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "runs" / "digits")
    app = app / "app" if (app / "app").is_dir() else app
    with tempfile.TemporaryDirectory() as folder:
        binary = _install(Path(folder))
        answer = _predict(binary, app)
        starts = [_start(binary, app) for _ in range(STARTS)]
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    row = {
        "torch importable": "no",
        "predict": answer[:60],
        "ready s (median)": statistics.median(start for start, _ in starts),
        "resident MB": max(resident for _, resident in starts),
        "environment MB": size,
    }
    keep("base_install", [row])


def _install(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    binary = folder / "bin"
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([binary / "pip", "install", "--quiet", *constraints, str(ROOT)], check=True)
    found = subprocess.run([binary / "python", "-c", "import torch"], capture_output=True, check=False)
    if found.returncode == 0:
        sys.exit("torch came with the base install")
    return binary


def _predict(binary: Path, app: Path) -> str:
    sample = next((app / "golden" / "inputs").iterdir())
    given = f"@{sample}" if sample.suffix == ".txt" else str(sample)
    done = subprocess.run([binary / "lepton", "predict", app, given], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _start(binary: Path, app: Path) -> tuple[float, float]:
    """Seconds until the server says it is ready, and its resident MB then."""
    began = time.perf_counter()
    with subprocess.Popen([binary / "lepton", "serve", app, "--port", str(PORT)], stderr=subprocess.DEVNULL) as process:
        while not _ready():
            if time.perf_counter() - began > 60:
                sys.exit("the server never became ready")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        process.terminate()
    return seconds, next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1e3


def _ready() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


if __name__ == "__main__":
    main()

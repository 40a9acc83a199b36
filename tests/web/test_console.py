"""The console in a real headless Chromium, against the real server; the steps are in `web/e2e`."""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
BUILT = ROOT / "src" / "lepton" / "serve" / "console"
LARGEST = 250_000
"""Bytes that a browser may have to fetch, compressed."""


def need(found: object, what: str) -> None:
    """Skip where a tool is missing; where everything was set up for the tests that is a failure."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"{what} is missing: `make web-test` tells what it needs"
        )


def browser() -> str | None:
    """Where Chromium is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def test_everything_works_in_a_browser(desk: dict[str, Any], tmp_path: Path) -> None:
    vitest = WEB / "node_modules" / "vitest" / "vitest.mjs"
    need(shutil.which("node"), "node")
    need(vitest.exists(), "web/node_modules")
    need(browser(), "Chromium")
    told = tmp_path / "told.json"
    told.write_text(json.dumps({**desk, "chromium": browser()}))
    report = tmp_path / "report.json"
    command = ["node", str(vitest), "run", "--config", "vitest.e2e.config.ts", "--reporter=default"]
    done = subprocess.run(
        [*command, "--reporter=json", f"--outputFile.json={report}"],
        cwd=WEB,
        env={**os.environ, "LEPTON_E2E": str(told)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["numPassedTests"] == found["numTotalTests"] > 25


def test_what_is_built_is_small_and_needs_nothing_inline() -> None:
    page = (BUILT / "index.html").read_text()
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" crossorigin src="/console/') == 1
    sizes = {path.name: path.stat().st_size for path in BUILT.iterdir()}
    assert not [name for name in sizes if name.endswith(".map")]
    assert len(sizes) > 5
    code = [path for path in BUILT.iterdir() if path.suffix in (".js", ".css", ".html")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in code) < LARGEST

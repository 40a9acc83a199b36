# /// script
# dependencies = ["schemathesis"]
#
# [tool.environment]
# pinned = []
# ///
"""Let schemathesis ask every operation of an OpenAPI document, and tell in JSON how many times and what failed.

All its checks are made but one: that whatever fits the schema is answered with a 2xx, since no schema can say that
bytes are a picture.

Usage: python fuzz_openapi.py URL EXAMPLES [KEY]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SAID_BY_NO_SCHEMA = "positive_data_acceptance"


def asked(url: str, *, examples: int, key: str = "") -> dict[str, Any]:
    """The number of requests, and the failures by their titles and operations.

    Raises RuntimeError, with the last words of schemathesis, when it does not come to its end.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [Path(sys.executable).with_name("schemathesis"), "--no-color", "run", url]
        command += ["--checks", "all", "--exclude-checks", SAID_BY_NO_SCHEMA, "--phases", "examples,coverage,fuzzing"]
        command += ["--max-examples", str(examples), "--seed", "0", "--no-shrink", "--continue-on-failure"]
        command += ["--report", "json", "--report-json-path", report]
        command += ["--header", f"Authorization: Bearer {key}"] if key else []
        done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
        if not report.exists():
            raise RuntimeError(f"schemathesis told nothing: {done.stdout[-1000:]} {done.stderr[-1000:]}")
        return _told(json.loads(report.read_text(encoding="utf-8")), done.stdout)


def _told(report: dict[str, Any], output: str) -> dict[str, Any]:
    if not report["complete"] or report["operations"]["tested"] < report["operations"]["total"]:
        raise RuntimeError(f"schemathesis did not come to its end: {output[-1000:]}")
    found = {one["title"]: one["operations"] for one in (*report["failures"], *report["errors"])}
    return {
        "requests": report["test_cases"]["generated"],
        "operations": report["operations"]["tested"],
        "failures": found,
        "output": output if found else "",
    }


if __name__ == "__main__":
    print(json.dumps(asked(sys.argv[1], examples=int(sys.argv[2]), key="".join(sys.argv[3:4]))))

"""What the documentation says was measured is what the benchmarks kept."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "benchmarks" / "data" / "tables.py"


def test_the_tables_of_the_page_on_duplicates_are_those_that_were_kept() -> None:
    done = subprocess.run([sys.executable, TABLES, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + "Run: python benchmarks/data/tables.py"

"""Write the tables of docs/explanation/duplicates.md from what the benchmarks kept.

Usage: python benchmarks/data/tables.py [--check]. With --check nothing is written; the exit code is 1 where the page
is not what it would become.
"""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from _table import RESULTS, markdown

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "duplicates.md"
NAMES = ("planted_leaks", "scale")


def main(*, check: bool) -> int:
    """Replace what stands between the markers, or say whether it is what it should be."""
    text = PAGE.read_text(encoding="utf-8")
    made = text
    for name in NAMES:
        between = f"<!-- {name} -->\n{_table(name)}\n<!-- /{name} -->"
        made, count = re.subn(f"<!-- {name} -->.*<!-- /{name} -->", lambda _, new=between: new, made, flags=re.DOTALL)
        if count != 1:
            sys.exit(f"{PAGE} has no place for {name}")
    if check:
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


def _table(name: str) -> str:
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    place = f"{found['machine']['processor']}, {found['machine']['cores']} cores"
    return f"{markdown(found['rows'])}\n\nOn {place}, {found['day']}."


if __name__ == "__main__":
    sys.exit(main(check=sys.argv[1:] == ["--check"]))

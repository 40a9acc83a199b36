# /// script
# dependencies = ["cleanvision>=0.3.6"]
#
# [tool.environment]
# pinned = ["numpy", "pillow"]
# ///
"""Exact and near duplicates among pictures by CleanVision, with its defaults.

Usage: python rival_cleanvision_near.py FOLDER OUT. FOLDER holds pictures named by their numbers; OUT gets
`groups`, lists of numbers, and the processor's `seconds`.
"""

import json
import sys
import time
from pathlib import Path

from cleanvision import Imagelab


def main(folder: str, out: str) -> None:
    """Ask CleanVision for duplicates and keep its answer."""
    start = time.process_time()
    lab = Imagelab(data_path=folder)
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=1, verbose=False)
    groups = [group for kind in ("exact_duplicates", "near_duplicates") for group in lab.info[kind]["sets"]]
    told = [[int(Path(name).stem) for name in group] for group in groups]
    kept = {"groups": told, "seconds": time.process_time() - start}
    Path(out).write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

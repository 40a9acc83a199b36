# /// script
# dependencies = ["cleanlab[datalab]>=2.9", "scikit-learn"]
#
# [tool.environment]
# pinned = ["cleanlab", "numpy", "scikit-learn", "pandas"]
# ///
"""Near duplicates among texts by cleanlab's Datalab, with its defaults, from TF-IDF brought to 256 numbers.

Usage: python rival_datalab_near.py FOLDER OUT. FOLDER holds `texts.json`; OUT gets `groups`, lists of numbers, and
the processor's `seconds`.
"""

import json
import sys
import time
from pathlib import Path

from cleanlab import Datalab
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer


def main(folder: str, out: str) -> None:
    """Ask Datalab for near duplicates and keep its answer."""
    texts = json.loads((Path(folder) / "texts.json").read_text(encoding="utf-8"))
    start = time.process_time()
    features = TruncatedSVD(256, random_state=0).fit_transform(TfidfVectorizer().fit_transform(texts))
    lab = Datalab({"text": texts}, verbosity=0)
    lab.find_issues(features=features, issue_types={"near_duplicate": {}})
    found = lab.get_issues("near_duplicate")
    named = found[found["is_near_duplicate_issue"]]
    groups = [[int(at), *map(int, like)] for at, like in named["near_duplicate_sets"].items()]
    kept = {"groups": groups, "seconds": time.process_time() - start}
    Path(out).write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

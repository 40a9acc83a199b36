# /// script
# dependencies = ["cleanlab[image]>=2.9", "datasets"]
#
# [tool.environment]
# pinned = ["cleanlab", "numpy", "pillow", "scikit-learn", "pandas"]
# ///
"""Spurious correlations between classes and properties of pictures by cleanlab's Datalab, with its defaults.

Usage: python rival_datalab_shortcuts.py FOLDER OUT. FOLDER holds a folder of pictures for each class; OUT gets
`correlated`, the properties whose score is under Datalab's threshold, and `scores` of all.
"""

import json
import sys
from pathlib import Path

from cleanlab import Datalab
from datasets import load_dataset


def main(folder: str, out: str) -> None:
    """Ask Datalab for spurious correlations and keep its answer."""
    data = load_dataset("imagefolder", data_dir=folder, split="train", cache_dir=f"{folder}/.cache")
    lab = Datalab(data, label_name="label", image_key="image", verbosity=0)
    lab.find_issues()
    told = lab.get_info("spurious_correlations")
    table = told["correlations_df"]
    scores = dict(zip(table["property"], map(float, table["score"]), strict=True))
    correlated = [name for name, score in scores.items() if score < told["threshold"]]
    Path(out).write_text(json.dumps({"correlated": correlated, "scores": scores}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

# /// script
# dependencies = ["cleanlab[datalab]>=2.9", "numpy"]
#
# [tool.environment]
# pinned = ["cleanlab", "numpy", "scikit-learn", "scipy", "pandas"]
# ///
"""Label issues by cleanlab's Datalab: how it orders labels, and which it calls issues.

Usage: python rival_datalab.py NPZ OUT. NPZ holds `given`, int (N,), `probabilities` (N, C) and `features` (N, D); OUT
gets for each of the two ways `quality` (N,), lower for worse labels, and `issue`, bool (N,): `same_` from those
probabilities, `own_` as Datalab's tutorials have it, by a logistic regression on the features over five folds.
"""

import sys

import numpy as np
from cleanlab import Datalab
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler


def main(source: str, out: str) -> None:
    """Ask Datalab for label issues both ways and keep its answers."""
    kept = np.load(source)
    rows = StandardScaler().fit_transform(kept["features"])
    model = LogisticRegression(max_iter=400)
    own = cross_val_predict(model, rows, kept["given"], cv=5, method="predict_proba")
    np.savez(out, **asked("same", kept["given"], kept["probabilities"]), **asked("own", kept["given"], own))


def asked(way: str, given: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Datalab's answer for one set of probabilities."""
    lab = Datalab({"label": given}, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=probabilities, issue_types={"label": {}})
    found = lab.get_issues("label")
    return {f"{way}_quality": found["label_score"].to_numpy(), f"{way}_issue": found["is_label_issue"].to_numpy()}


if __name__ == "__main__":
    main(*sys.argv[1:])

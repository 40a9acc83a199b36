from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton.core.types import Arrays
from lepton.runtime import batches
from lepton.runtime.app import App, load
from lepton.runtime.samples import samples

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"


@pytest.fixture(scope="module")
def app() -> App:
    return load(APPS / "image-classification")


def test_an_app_whose_rows_do_not_meet_is_exact(app: App) -> None:
    assert batches.exact(app, samples(app)[0][:2])


def test_one_bit_of_one_row_in_company_is_seen(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    run = App.run

    def other(own: App, arrays: Arrays, **more: Any) -> Arrays:
        found = dict(run(own, arrays, **more))
        if len(next(iter(arrays.values()))) == 8:
            logits = found["logits"].copy()
            logits[5, 1] = np.nextafter(logits[5, 1], np.float32(np.inf))
            found["logits"] = logits
        return found

    monkeypatch.setattr(App, "run", other)
    assert not batches.exact(app, samples(app)[0][:1])


def test_every_kept_app_says_rightly_whether_it_may_be_batched() -> None:
    """Those that say so answer in company what they answer alone."""
    checked = 0
    for folder in sorted(APPS.iterdir()):
        app = load(folder)
        raws = samples(app)[0]
        if app.batchable and batches.exact(app, raws):
            assert app.predict(raws * 4) == [app.predict(raw) for raw in raws * 4]
            checked += 1
    assert checked >= 2

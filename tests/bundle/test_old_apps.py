"""An app that an older Lepton made loads and answers in this one."""

from pathlib import Path

import pytest

from lepton.bundle import manifest
from lepton.bundle.verify import answers, verify
from lepton.runtime.app import load
from lepton.runtime.samples import samples

APPS = sorted(path.parent for path in (Path(__file__).parent / "apps").rglob("manifest.json"))


def test_there_is_an_app_of_every_format_and_task() -> None:
    formats = {manifest.read(folder).manifest.format for folder in APPS}
    assert formats == set(range(1, manifest.FORMAT + 1))
    assert len(APPS) >= 4


@pytest.mark.parametrize("folder", APPS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_old_apps_answer_as_they_did(folder: Path) -> None:
    assert verify(folder) == []
    for view in load(folder).views:
        assert samples(view)[1] == "golden"
        assert answers(view.bundle, view.predict) == []
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 50_000

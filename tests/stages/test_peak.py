"""The peak of memory, of a piece of work that is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lepton.stages._peak import Peak

CPU = torch.device("cpu")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="nothing counts the peak on this system")
def test_what_was_taken_and_given_back_counts_for_its_own_work_alone() -> None:
    with Peak(CPU) as large:
        assert np.ones(25_000_000).sum() > 0  # 200 MB
    with Peak(CPU) as small:
        pass
    assert large.mb is not None
    assert small.mb is not None
    assert large.mb - small.mb > 150


def test_where_nothing_counts_it_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lepton.stages._peak._RESET", tmp_path / "none" / "clear_refs")
    with Peak(CPU) as peak:
        pass
    assert peak.mb is None

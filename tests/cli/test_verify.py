import json
from pathlib import Path

import msgspec
import pytest

from lepton.bundle import manifest
from lepton.cli.__main__ import main
from lepton.core import machine

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "image-classification"


@pytest.fixture
def quantised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The image app as if it had been quantised, on a machine without VNNI."""
    source = manifest.read(APP)
    steps = [{"name": "int8_static", "reduce_range": False}]
    told = msgspec.structs.replace(source.manifest, provenance={"steps": steps})
    manifest.write(tmp_path / "app", told, {name: source.path(name).read_bytes() for name in told.files})
    elsewhere = {**machine.fingerprint(), "instructions": ["avx2"]}
    monkeypatch.setattr(machine, "fingerprint", lambda: elsewhere)
    return tmp_path / "app"


def test_a_quantised_app_elsewhere_is_warned_of(quantised: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(quantised), "--contract"]) == 0
    out, err = capsys.readouterr()
    assert "size_mb" in out
    assert err.startswith("warning: ")
    assert "avx512_vnni" in err
    assert main(["verify", str(quantised), "--contract", "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["warnings"]) == 1
    assert err == ""


def test_without_the_contract_nothing_is_said_of_figures(quantised: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(quantised), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"problems": [], "contract": [], "warnings": []}

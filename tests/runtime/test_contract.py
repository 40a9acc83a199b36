from pathlib import Path

import msgspec
import pytest

from lepton.bundle import manifest
from lepton.core import machine
from lepton.runtime import contract

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "image-classification"
FULL = {"name": "int8_static", "reduce_range": False}
SEVEN = {"name": "int8_static", "reduce_range": True}
PACKED = {"name": "weights", "bits": 8}


@pytest.fixture
def machine_with(monkeypatch: pytest.MonkeyPatch):
    def use(*instructions: str) -> None:
        told = {**machine.fingerprint(), "instructions": list(instructions)}
        monkeypatch.setattr(machine, "fingerprint", lambda: told)

    return use


def made_by(folder: Path, *steps: dict[str, object]) -> Path:
    """The image app as if a plan of these steps had made it."""
    source = manifest.read(APP)
    told = msgspec.structs.replace(source.manifest, provenance={"steps": list(steps)})
    manifest.write(folder, told, {name: source.path(name).read_bytes() for name in told.files})
    return folder


@pytest.mark.parametrize("steps", [(FULL,), (PACKED, FULL), (FULL, PACKED)])
@pytest.mark.parametrize("instructions", [(), ("avx2",), ("avx2", "avx512f", "avx512_bf16")])
def test_full_8_bit_weights_are_warned_of_without_vnni(tmp_path: Path, machine_with, steps, instructions) -> None:
    machine_with(*instructions)
    (warning,) = contract.warnings(made_by(tmp_path / "app", *steps))
    assert "avx512_vnni" in warning
    assert "lepton evaluate" in warning
    assert "reduce_range" in warning


@pytest.mark.parametrize("instruction", ["avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"])
def test_processors_that_add_in_32_bits_are_not(tmp_path: Path, machine_with, instruction: str) -> None:
    machine_with("avx2", instruction)
    assert contract.warnings(made_by(tmp_path / "app", FULL)) == []


@pytest.mark.parametrize("steps", [(), (SEVEN,), (PACKED,)])
def test_nor_are_apps_whose_weights_cannot_saturate(tmp_path: Path, machine_with, steps) -> None:
    machine_with("avx2")
    assert contract.warnings(made_by(tmp_path / "app", *steps)) == []


def test_an_app_of_an_older_lepton_says_nothing_of_steps(machine_with) -> None:
    machine_with("avx2")
    assert contract.warnings(APP) == []

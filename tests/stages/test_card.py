import pytest

from lepton.stages import _card

CLAUSES = [{"name": "size (MB)", "asked": 1.0, "measured": 0.5, "kept": True}]
HERE = {"processor": "one", "cores": 2, "instructions": ["avx2", "avx512_vnni"]}


def contract(*steps: dict[str, object], machine: dict[str, object] = HERE) -> str:
    return "\n".join(_card._contract({"clauses": CLAUSES, "steps": list(steps)}, machine))


def test_8_bit_figures_say_on_which_processors_they_hold() -> None:
    told = contract({"name": "int8_static", "reduce_range": False})
    assert "8-bit figures hold for processors with avx512_vnni" in told
    assert "here: avx512_vnni." in told
    for word in ("lepton verify APP\n--contract", "lepton evaluate", "7 bits", "reduce_range = true"):
        assert word in told
    old = {**HERE, "instructions": ["avx2"]}
    assert "here: none" in contract({"name": "int8_static", "reduce_range": False}, machine=old)


def test_7_bit_weights_are_told_to_be_safe() -> None:
    told = contract({"name": "int8_static", "reduce_range": True})
    assert "7 bits" in told
    assert "hold for processors" not in told


@pytest.mark.parametrize("steps", [(), ({"name": "weights", "bits": 8},)])
def test_other_plans_say_nothing_of_it(steps: tuple[dict[str, object], ...]) -> None:
    assert contract(*steps).endswith("| size (MB) | 1 | 0.5 | yes |")

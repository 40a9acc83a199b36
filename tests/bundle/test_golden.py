from pathlib import Path

import pytest

from lepton.bundle import golden, manifest
from lepton.bundle.manifest import Graph, Manifest, Transform
from lepton.bundle.verify import verify
from lepton.core.errors import BadInput, UserError

RAWS = ["a text", b"\x89PNG\r\n\x1a\n", b"RIFF....WAVE", b"?"]
ANSWERS = [[{"label": "yes", "score": 0.9}, {"label": "no", "score": 0.1}], {"text": "hi"}, [], None]


def differences(expected: object, found: object, tolerance: float = 1e-3) -> list[str]:
    return list(golden.differences(expected, found, tolerance))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    described = Manifest(name="toy", task="t", graphs={"m": Graph(file="m.onnx")}, transform=Transform(name="tokens"))
    files = {"m.onnx": b"graph", **golden.files(RAWS, ANSWERS, tolerance=0.01)}
    return manifest.write(tmp_path / "app", described, files).folder


def test_golden_inputs_come_back_as_they_went_in(folder: Path) -> None:
    found = golden.read(manifest.read(folder))
    assert [raw for raw, _ in found] == RAWS
    assert [item.answer for _, item in found] == ANSWERS
    assert [Path(item.input).suffix for _, item in found] == [".txt", ".png", ".wav", ".bin"]
    assert {item.tolerance for _, item in found} == {0.01}


def test_an_app_may_have_none(tmp_path: Path) -> None:
    described = Manifest(name="toy", task="t", graphs={"m": Graph(file="m.onnx")}, transform=Transform(name="tokens"))
    assert golden.read(manifest.write(tmp_path / "app", described, {"m.onnx": b"graph"})) == []


RANKING = [{"label": "a", "score": 0.6}, {"label": "b", "score": 0.3002}, {"label": "c", "score": 0.3}]


def test_scores_may_differ_within_the_tolerance_and_small_ones_change_places() -> None:
    near = [{"label": "a", "score": 0.6004}, {"label": "c", "score": 0.3001}, {"label": "b", "score": 0.3}]
    assert differences(RANKING, near) == []


def test_the_first_label_is_the_decision() -> None:
    assert "'b' instead of 'a'" in differences(RANKING, [RANKING[1], RANKING[0], RANKING[2]])[0]


def test_a_score_too_far_and_a_label_gone_are_named() -> None:
    found = differences(RANKING, [{"label": "a", "score": 0.7}, RANKING[1]])
    assert len(found) == 2
    assert "'a'" in found[0]
    assert "'c'" in found[1]


@pytest.mark.parametrize(
    ("expected", "found", "equal"),
    [
        ({"text": "hi"}, {"text": "hi"}, True),
        ({"text": "hi"}, {"text": "ho"}, False),
        ({"start": 1, "score": 0.5}, {"start": 1, "score": 0.5009}, True),
        ({"start": 1}, {"start": 2}, False),
        ({"start": 1}, {"begin": 1}, False),
        ([1.0, [2.0]], [1.0, [2.0005]], True),
        ([1.0], [1.0, 2.0], False),
        ([], [], True),
        (None, None, True),
        (True, 1.0005, False),
        (0.5, float("nan"), False),
    ],
)
def test_answers_of_any_shape_compare(expected: object, found: object, equal: bool) -> None:
    assert (differences(expected, found) == []) == equal


def test_verify_finds_nothing_wrong_with_right_answers(folder: Path) -> None:
    answers = iter(ANSWERS)
    assert verify(folder, lambda raw: next(answers)) == []


def test_verify_names_the_input_whose_answer_changed(folder: Path) -> None:
    answers = iter([ANSWERS[0], {"text": "ho"}, [], None])
    (problem,) = verify(folder, lambda raw: next(answers))
    assert problem.startswith("golden/inputs/1.png")


def test_verify_reports_an_input_that_is_now_refused(folder: Path) -> None:
    def refuse(raw: object) -> object:
        raise BadInput("too large")

    assert all("too large" in problem for problem in verify(folder, refuse))


def test_changed_files_are_named_and_nothing_is_asked(folder: Path) -> None:
    (folder / "golden" / "answers.json").write_text("[]")
    (folder / "m.onnx").unlink()
    problems = verify(folder, lambda raw: pytest.fail("asked"))
    assert len(problems) == 2


def test_answers_that_are_no_json_are_a_clear_error(tmp_path: Path) -> None:
    described = Manifest(name="toy", task="t", graphs={"m": Graph(file="m.onnx")}, transform=Transform(name="tokens"))
    bundle = manifest.write(tmp_path / "app", described, {"m.onnx": b"", golden.ANSWERS: b"{"})
    with pytest.raises(UserError, match="cannot be read"):
        golden.read(bundle)

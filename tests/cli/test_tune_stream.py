import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from lepton.cli.__main__ import main
from lepton.runtime.app import load
from lepton.streams._detector import listening

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "audio-classification"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Half a minute with tones of two heights, which the app tells apart, in silence."""
    folder = tmp_path_factory.mktemp("scene")
    samples = np.zeros(30 * 8000)
    rows = ["label,start,end"]
    for number, start in enumerate(np.arange(1.0, 29.0, 2.0)):
        place = slice(int(start * 8000), int((start + 0.5) * 8000))
        samples[place] = np.sin(np.arange(4000) / 8000 * 2 * np.pi * (300 + 900 * (number % 2))) * 8000
        rows.append(f"{('alpha', 'gamma')[number % 2]},{start},{start + 0.5}")
    soundfile.write(folder / "long.wav", samples.astype(np.int16), 8000, subtype="PCM_16")
    (folder / "events.csv").write_text("\n".join(rows) + "\n")
    return folder / "long.wav", folder / "events.csv"


def run(scene: tuple[Path, Path], *more: object) -> int:
    return main(["tune-stream", str(APP), "--recording", str(scene[0]), "--events", str(scene[1]), *map(str, more)])


def test_a_setting_a_page_and_facts_are_written(scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(scene, "-o", tmp_path, "--hop-ms", "100") == 0
    out, err = capsys.readouterr()
    frame = json.loads((tmp_path / "stream.json").read_text())
    assert listening(frame, load(APP)).hop_ms == 100
    assert (tmp_path / "index.html").read_text().startswith("<!doctype html>")
    assert out.startswith("0 of 14 events missed")
    assert str(tmp_path / "index.html") in err


def test_json_has_it_all(scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(scene, "-o", tmp_path, "--json", "--ignore", "beta") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert found == json.loads((tmp_path / "tuning.json").read_text())
    assert found["settings"] == json.loads((tmp_path / "stream.json").read_text())
    assert found["settings"]["ignore"] == ["beta"]
    assert (found["fitted"]["events"], found["fitted"]["missed"]) == (14, 0)


def test_a_limit_that_nothing_keeps_is_code_3_and_leaves_no_setting(
    scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "wrong.csv"
    events.write_text("label,start,end\nbeta,1,1.01\n")
    assert run((scene[0], events), "-o", tmp_path / "out") == 3
    assert "No setting that finds an event keeps to 1 false accepts an hour" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.html", "tuning.json"]


def test_mistakes_are_told_before_anything_is_heard(
    scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.csv").write_text("label,start,end\ndelta,1,2\nalpha,50,51\n")
    for given, more, said in (
        ((scene[0], tmp_path / "odd.csv"), (), "2 faults"),
        (scene, ("--ignore", "alpha"), "Known: beta, gamma"),
        (scene, ("--ignore", "noise"), "Known: alpha, beta, gamma"),
        (scene, ("--hop-ms", "1"), "between 10 and 10000"),
        ((tmp_path / "absent.wav", scene[1]), (), "cannot be read as a recording"),
    ):
        assert run(given, *more, "-o", tmp_path / "out") == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

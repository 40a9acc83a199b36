"""Malformed recipes and command lines: each gives exit code 2 and one clear message, never a traceback."""

from pathlib import Path

import pytest

from lepton.cli.__main__ import main

APP = '[app]\nname = "x"\ntask = "image-classification"\n'
DATA = '[data]\nsource = "digits"\n'
RECIPES = {
    "nothing": "",
    "no TOML": "[app",
    "a list": "app = [1, 2]",
    "a number for a table": "app = 3",
    "binary": "\x00\x01\x02",
    "twice the same key": APP + APP,
    "no data": APP,
    "no app": DATA,
    "an unknown section": APP + DATA + "[trian]\n",
    "an unknown task": APP.replace("image", "smell") + DATA,
    "a task that is a number": APP.replace('"image-classification"', "7") + DATA,
    "a name that is a list": APP.replace('"x"', "[]") + DATA,
    "a seed that is a text": APP + 'seed = "0"\n' + DATA,
    "a source that is not there": APP + '[data]\nsource = "../../../../etc/shadow-of-nothing"\n',
    "a source that is empty": APP + '[data]\nsource = ""\n',
    "a source that is a number": APP + "[data]\nsource = 3\n",
    "a source with a zero byte": APP + '[data]\nsource = "a\\u0000b"\n',
    "an unknown format": APP + DATA + 'format = "parkett"\n',
    "a share over one": APP + DATA + "split = { test = 1.5 }\n",
    "a split that is a text": APP + DATA + 'split = "test"\n',
    "an unknown split": APP + DATA + "split = { tset = 0.2 }\n",
    "a policy that is none": APP + DATA + 'leaks = "ignore"\n',
    "a negative share of bad records": APP + DATA + "max_bad = -0.1\n",
    "an unknown transform": APP + DATA + 'transform = "imagee"\n',
    "a transform of another modality": APP + DATA + 'transform = { name = "image", sizes = 3 }\n',
    "a huge image": APP + DATA + 'transform = { name = "image", size = 1000000000 }\n',
    "an unknown model": APP + DATA + '[model]\nname = "resnett"\n',
    "a model without a name": APP + DATA + '[model]\npreset = "seed"\n',
    "a model that is a number": APP + DATA + "[model]\nname = 5\n",
    "a model for another task": APP + DATA + '[model]\nname = "textcnn"\n',
    "an unknown preset": APP + DATA + '[model]\nname = "cnn"\npreset = "tiniest"\n',
    "a setting of another model": APP + DATA + '[model]\nname = "cnn"\nheads = 4\n',
    "a width of nought": APP + DATA + '[model]\nname = "cnn"\nwidths = [0]\n',
    "a width that is a text": APP + DATA + '[model]\nname = "cnn"\nwidths = "wide"\n',
    "fewer than no epochs": APP + DATA + "[train]\nepochs = -1\n",
    "half an epoch": APP + DATA + "[train]\nepochs = 0.5\n",
    "a rate of infinity": APP + DATA + "[train]\nlr = inf\n",
    "a rate that is no number": APP + DATA + "[train]\nlr = nan\n",
    "a rate that is a text": APP + DATA + '[train]\nlr = "3e-4"\n',
    "an unknown optimizer": APP + DATA + '[train]\noptimizer = "adam"\n',
    "an unknown schedule": APP + DATA + '[train]\nschedule = "linear"\n',
    "a batch of true": APP + DATA + "[train]\nbatch = true\n",
    "an unknown device": APP + DATA + '[train]\ndevice = "tpu"\n',
    "an unknown pass": APP + DATA + '[compress]\npasses = ["int7"]\n',
    "passes that are a text": APP + DATA + '[compress]\npasses = "int8_static"\n',
    "a pass with an unknown setting": APP + DATA + '[compress]\npasses = [{ name = "int8_static", bits = 4 }]\n',
    "an unknown search": APP + DATA + '[compress]\nsearch = "grid"\n',
    "an unknown metric": APP + DATA + '[contract]\nmetric = { name = "acuracy" }\n',
    "a metric of another task": APP + DATA + '[contract]\nmetric = { name = "wer" }\n',
    "a drop over one": APP + DATA + "[contract]\nmetric = { max_drop = 2 }\n",
    "a latency of less than nothing": APP + DATA + "[contract]\nlatency = { p95_ms = -1 }\n",
    "an unknown clause": APP + DATA + "[contract]\nspeed = 3\n",
    "a size that is a text": APP + DATA + '[contract]\nsize_mb = "small"\n',
    "golden of a wrong kind": APP + DATA + '[package]\ngolden = "all"\n',
    "slices that are a text": APP + DATA + '[evaluate]\nslices = "speaker"\n',
    "a threshold over one": APP + DATA + "[evaluate]\noperating_point = { specificity = 1.5 }\n",
}
LINES = {
    "no command": [],
    "an unknown command": ["serv"],
    "a flag first": ["--json"],
    "no recipe there": ["run", "nowhere.toml"],
    "a recipe that is a folder": ["run", "."],
    "no app there": ["predict", "nowhere", "x.png"],
    "a folder that is no app": ["verify", "."],
    "no run there": ["report", "."],
    "two runs that are none": ["compare", ".", "."],
    "data that is not there": ["audit", "nowhere"],
    "an unknown task": ["init", "smelling", "--data", "digits"],
    "a port for an app": ["serve", "8000"],
}


def test_there_are_many() -> None:
    assert (len(RECIPES), len(LINES)) == (56, 12)


@pytest.mark.parametrize("name", RECIPES)
def test_a_malformed_recipe_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPES[name])
    assert main(["check", str(path)]) == 2
    _one_clear_message(capsys)


@pytest.mark.parametrize("name", LINES)
def test_a_malformed_command_line_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(LINES[name]) == 2
    if LINES[name]:
        _one_clear_message(capsys)


def _one_clear_message(capsys: pytest.CaptureFixture[str]) -> None:
    told = capsys.readouterr().err
    assert told.startswith("lepton: ")
    assert "Traceback" not in told
    assert len(told) < 4000

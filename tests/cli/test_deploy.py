import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from lepton.cli.__main__ import main
from lepton.core import plugins

ROOT = Path(__file__).parents[2]
APP = ROOT / "tests" / "bundle" / "apps" / "v1" / "image-classification"
TARGETS = plugins.names("deploy")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["deploy", *(str(item) for item in arguments)])
        return code, *capsys.readouterr()

    return call


def test_there_are_targets() -> None:
    assert len(TARGETS) >= 4
    assert "ray-serve" in TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_writes_its_folder_and_says_what_to_type(run: Any, tmp_path: Path, target: str) -> None:
    code, out, err = run(APP, "--target", target, "-o", "out")
    assert (code, err) == (0, "")
    first, *commands = out.splitlines()
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert first.startswith(f"out: {len(files)} files for {target}.")
    readme = (tmp_path / "out" / "README.md").read_text()
    assert commands
    assert all(f"\n{command.strip()}\n" in readme for command in commands)


@pytest.mark.parametrize("target", TARGETS)
def test_json_tells_the_folder_its_files_and_the_commands(run: Any, tmp_path: Path, target: str) -> None:
    code, out, _ = run(APP, "--target", target, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["folder"] == f"tiny-image-classification-{target}"
    folder = tmp_path / told["folder"]
    assert told["files"] == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert (told["target"], len(told["app"])) == (target, 64)
    assert told["commands"]


@pytest.mark.parametrize("target", TARGETS)
def test_two_writings_are_equal_byte_by_byte(run: Any, tmp_path: Path, target: str) -> None:
    """But for the memory that was measured, which is rounded and may still fall on either side of a step."""
    for name in ("one", "two"):
        assert run(APP, "--target", target, "-o", name)[0] == 0
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    memory = re.compile(rb"memory: \S+")
    assert {path: memory.sub(b"", data) for path, data in one.items()} == {
        path: memory.sub(b"", data) for path, data in two.items()
    }


def test_a_run_is_as_good_as_its_app(run: Any, tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "run" / "app")
    assert run(tmp_path / "run", "--target", "docker", "-o", "out")[0] == 0
    assert (tmp_path / "out" / "app" / "manifest.json").read_bytes() == (APP / "manifest.json").read_bytes()


def test_what_is_there_is_never_overwritten(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    code, out, err = run(APP, "--target", "docker", "-o", "out")
    assert (code, out) == (2, "")
    assert "out exists already" in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--target", "ray_serve"], "Did you mean 'ray-serve'"),
        (["--target", "docker", "--replicas", "3"], "Unknown key [docker.replicas]"),
        (["--target", "ray-serve", "--image", "a"], "Unknown key [ray-serve.image]"),
        (["--target", "kubernetes", "--replicas", "0"], "It must be between 1 and 1000"),
        (["--target", "kubernetes", "--replicas", "30"], "30 and 10"),
        (["--target", "kubernetes", "--image", "No Image"], "names no image"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(run: Any, tmp_path: Path, given: list[str], said: str) -> None:
    code, out, err = run(APP, *given)
    assert (code, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_an_app_that_was_changed_is_not_deployed(run: Any, tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "app")
    (tmp_path / "app" / "CARD.md").write_text("better")
    code, _, err = run(tmp_path / "app", "--target", "docker", "-o", "out")
    assert code == 2
    assert "CARD.md was changed" in err
    assert not (tmp_path / "out").exists()


def test_the_documents_examples_run_as_shown(run: Any, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    shutil.copytree(APP, tmp_path / "runs" / "digits" / "app")
    assert len(lines) >= 5
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    assert {f"## {target}" for target in TARGETS} <= set(text.splitlines()), "every target has its part"


def test_help_names_the_targets(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    told = "".join(capsys.readouterr().out.split())
    assert all(target in told for target in TARGETS)

import subprocess
import sys
from pathlib import Path

import pytest

from lepton.cli import __main__ as cli
from lepton.cli import _output
from lepton.core import plugins
from lepton.core.errors import ContractNotKept, UserError

MAIN = [sys.executable, "-m", "lepton.cli"]


def test_help_lists_every_command_with_its_help_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    names = plugins.names("cli")
    assert len(names) >= 6
    for name in names:
        assert f"  {name} " in text
        assert plugins.load("cli", name).HELP in text


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from lepton.cli.__main__ import main; main(['--help']);"
        "print(sorted(m for m in sys.modules if m.startswith('lepton.cli.') or m in ('numpy', 'onnxruntime', 'rich')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['lepton.cli.__main__']"


@pytest.mark.parametrize("name", plugins.names("cli"))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    assert f"lepton {name}" in capsys.readouterr().out


def test_nothing_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lepton 0.")


@pytest.mark.parametrize("name", ["predct", "../x", "--odd", "_output", "__main__", ""])
def test_an_unknown_command_is_one_clear_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name]) == 2
    err = capsys.readouterr().err
    assert err.startswith("lepton: ")
    assert err.count("\n") == 1


def test_the_nearest_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["predct"])
    assert "Did you mean 'predict'" in capsys.readouterr().err


class Command:
    HELP = "does what the test wants"

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def arguments(self, parser: object) -> None:
        """None."""

    def main(self, args: object) -> int:
        if self.error:
            raise self.error
        return 0


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (UserError("wrong"), 2), (ContractNotKept("too slow"), 3), (KeyboardInterrupt(), 130)],
)
def test_errors_become_exit_codes(error: BaseException | None, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_load", lambda name: Command(error))
    assert cli.main(["anything"]) == code


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_load", lambda name: Command(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["anything"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "import sys; from lepton.cli.__main__ import main; sys.exit(main(['list', 'formats']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


def test_module_form_runs_too() -> None:
    done = subprocess.run([*MAIN, "list", "tasks", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert '"image-classification"' in done.stdout


@pytest.mark.parametrize("room", ["tasks", "formats", "cli", "metrics"])
def test_list_shows_what_is_installed(room: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", room]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == plugins.names(room)
    assert all(len(line.split()) > 1 for line in lines)


def test_progress_is_silent_when_asked_and_plain_off_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_output, "_EVERY", 0.0)
    for quiet in (True, False):
        with _output.progress(quiet=quiet).bar("train", 4) as bar:
            bar.step(2, "loss 0.5")
        out, err = capsys.readouterr()
        assert not out
        assert ("train: 2/4" in err and "loss 0.5" in err) != quiet


def test_bars_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    bars = _output.Bars()
    bars.say("hello")
    with bars.bar("train", 4) as bar:
        bar.step(4, "loss 0.5")
    out, err = capsys.readouterr()
    assert not out
    assert "hello" in err
    assert "4/4" in err


def test_json_is_json_whatever_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    _output.print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": "我"})
    assert capsys.readouterr().out.split() == [
        "{",
        '"a":',
        "null,",
        '"b":',
        "[",
        "null,",
        "1.5",
        "],",
        '"c":',
        '"我"',
        "}",
    ]


def test_a_file_name_that_is_no_text_is_printed(tmp_path: Path) -> None:
    folder = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "image-classification"
    done = subprocess.run([*MAIN, "predict", str(folder), b"/nowhere/\xff.png"], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"cannot be read" in done.stdout
    assert b"Traceback" not in done.stderr

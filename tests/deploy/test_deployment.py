from pathlib import Path

import pytest

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.deploy._deployment import Deployment, app_files, check, deployment, write

MADE = deployment("A title", {"a.yaml": b"a: 1\n", "deep/b": b"b"}, commands=("run --this .",), notes=("A note.", ""))


def test_the_folder_holds_the_files_and_a_readme_with_the_commands(tmp_path: Path) -> None:
    write(tmp_path / "out" / "new", MADE)
    assert (tmp_path / "out" / "new" / "deep" / "b").read_bytes() == b"b"
    readme = (tmp_path / "out" / "new" / "README.md").read_text()
    assert readme == "# A title\n\nIn this folder:\n\n```sh\nrun --this .\n```\n\nA note.\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"], "nothing is left aside"


def test_an_empty_folder_is_taken_and_so_is_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write(tmp_path / "link", MADE)
    assert (tmp_path / "empty" / "a.yaml").read_bytes() == b"a: 1\n"
    assert (tmp_path / "link").is_symlink()


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    for taken in (tmp_path / "mine", tmp_path / "file"):
        with pytest.raises(UserError, match="exists already.*new or an empty folder.*-o"):
            write(taken, MADE)
    assert (tmp_path / "mine" / "notes.txt").read_text() == (tmp_path / "file").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="working folder"):
        check(Path())


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "file" / "below", MADE)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        write(tmp_path / "out", Deployment({"a": b"a", "b": tmp_path / "absent"}, ()))
    assert list(tmp_path.iterdir()) == []


def test_of_the_app_goes_what_its_manifest_lists(image_app: Bundle) -> None:
    found = app_files(image_app)
    assert set(found) == {"app/manifest.json", *(f"app/{name}" for name in image_app.manifest.files)}
    assert all(isinstance(path, Path) and path.is_file() for path in found.values())

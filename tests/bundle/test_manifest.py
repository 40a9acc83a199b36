import hashlib
import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.bundle import manifest
from lepton.bundle.manifest import Adapter, Graph, Manifest, Transform
from lepton.core.errors import Faults, UserError

FILES = {"model.onnx": b"graph", "model.onnx.data": b"weights", "tokenizer.json": b"{}", "CARD.md": b"# card"}


def described(**changes: object) -> Manifest:
    made = Manifest(
        name="toy",
        task="text-classification",
        graphs={"model": Graph(file="model.onnx")},
        transform=Transform(name="tokens", settings={"max_length": 8}, files=("tokenizer.json",)),
        classes=("no", "yes"),
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return manifest.write(tmp_path / "app", described(), FILES).folder


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_written_is_read(folder: Path) -> None:
    bundle = manifest.read(folder)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    assert bundle.manifest == described(files=dict(sorted(hashes.items())))
    assert bundle.id == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert bundle.transform_files() == {"tokenizer.json": b"{}"}


def test_the_same_app_has_the_same_id(tmp_path: Path) -> None:
    ids = {manifest.write(tmp_path / name, described(), FILES).id for name in ("one", "two")}
    assert len(ids) == 1


def test_size_counts_what_answers_and_not_the_card(folder: Path) -> None:
    needed = len(b"graph") + len(b"weights") + len(b"{}") + (folder / "manifest.json").stat().st_size
    assert manifest.read(folder).size_mb() == needed / 1e6


def test_writing_replaces_the_old_folder_whole(folder: Path) -> None:
    (folder / "stale").write_text("old")
    manifest.write(folder, described(), FILES)
    assert not (folder / "stale").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["app"]


def test_a_failed_write_leaves_the_old_folder(folder: Path) -> None:
    with pytest.raises(UserError, match="not listed"):
        manifest.write(folder, described(), {"other.onnx": b"graph"})
    assert manifest.read(folder).manifest.name == "toy"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["app"]


def test_files_the_manifest_does_not_name_are_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert "notes.txt" not in manifest.read(folder).manifest.files


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    with pytest.raises(UserError, match=f"{name} was changed"):
        manifest.read(folder)


def test_all_faulty_files_are_named_at_once(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "CARD.md").write_text("other")
    with pytest.raises(Faults) as caught:
        manifest.read(folder)
    assert len(caught.value.faults) == 2


def test_a_symbolic_link_is_refused_even_to_equal_bytes(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.onnx"
    os.replace(folder / "model.onnx", outside)
    (folder / "model.onnx").symlink_to(outside)
    with pytest.raises(UserError, match="symbolic link"):
        manifest.read(folder)


def test_a_folder_in_between_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = manifest.write(tmp_path / "app", described(), {**FILES, "more/deep.txt": b"deep"}).folder
    os.replace(folder / "more", tmp_path / "elsewhere")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="symbolic link"):
        manifest.read(folder)


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert manifest.read(tmp_path / "link").manifest.name == "toy"


BAD_PATHS = [
    "../up",
    "/etc/passwd",
    "a/../../up",
    "./a",
    "a//b",
    "a\\b",
    "C:/a",
    "",
    ".",
    "..",
    "a\0b",
    "manifest.json",
    "a/",
    "x" * 300,
]


@pytest.mark.parametrize("name", BAD_PATHS)
def test_paths_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    rewrite(folder, files={**json.loads((folder / "manifest.json").read_text())["files"], name: "0" * 64})
    with pytest.raises(UserError, match="not allowed"):
        manifest.read(folder)
    with pytest.raises(UserError, match="not allowed"):
        manifest.write(folder, described(), {**FILES, name: b""})


def test_a_newer_format_is_refused_with_the_remedy(folder: Path) -> None:
    rewrite(folder, format=manifest.FORMAT + 1, invention=True)
    with pytest.raises(UserError, match="Upgrade Lepton"):
        manifest.read(folder)


def test_an_unknown_key_is_refused_by_name(folder: Path) -> None:
    rewrite(folder, grafs={})
    with pytest.raises(UserError, match="grafs"):
        manifest.read(folder)


def test_a_graph_that_is_not_listed_is_refused(folder: Path) -> None:
    rewrite(folder, graphs={"model": {"file": "/etc/passwd"}})
    with pytest.raises(UserError, match="not listed"):
        manifest.read(folder)


def test_a_manifest_without_graphs_is_refused(folder: Path) -> None:
    rewrite(folder, graphs={})
    with pytest.raises(UserError, match="no graph"):
        manifest.read(folder)


def test_a_folder_without_manifest_is_no_app(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no app"):
        manifest.read(tmp_path)


WITH_ADAPTERS = {"fr": Adapter(file="fr.onnx_adapter", classes=("non", "oui")), "de": Adapter(file="de.onnx_adapter")}


def test_an_app_without_adapters_stays_one_that_older_leptons_read(folder: Path) -> None:
    told = json.loads((folder / "manifest.json").read_text())
    assert (told["format"], "adapters" in told) == (1, False)


def test_adapters_make_format_2_and_count_in_the_size(tmp_path: Path) -> None:
    more = {"fr.onnx_adapter": b"french", "de.onnx_adapter": b"german"}
    bundle = manifest.write(tmp_path / "app", described(adapters=WITH_ADAPTERS), {**FILES, **more})
    read = manifest.read(bundle.folder)
    assert (read.manifest.format, list(read.manifest.adapters)) == (2, ["fr", "de"])
    plain = len(b"graph") + len(b"weights") + len(b"{}") + (bundle.folder / "manifest.json").stat().st_size
    assert read.size_mb() == (plain + len(b"french") + len(b"german")) / 1e6
    chosen = read.adapted("fr")
    assert (chosen.manifest.classes, chosen.adapter, chosen.id) == (("non", "oui"), "fr", read.id)
    with pytest.raises(UserError, match="has no such adapter"):
        read.adapted("it")


def test_an_adapter_whose_file_is_not_listed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="de.onnx_adapter is used but not listed"):
        manifest.write(tmp_path / "app", described(adapters=WITH_ADAPTERS), {**FILES, "fr.onnx_adapter": b""})


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a b", "-a", "a:swap", "ä", "a" * 65, "a\n"])
def test_an_adapters_name_is_one_that_can_be_asked(tmp_path: Path, name: str) -> None:
    odd = described(adapters={name: Adapter(file="model.onnx")})
    with pytest.raises(UserError, match="name is not allowed"):
        manifest.write(tmp_path / "app", odd, FILES)


def test_adapters_in_format_1_are_a_fault(folder: Path) -> None:
    rewrite(folder, adapters={"fr": {"file": "model.onnx"}})
    with pytest.raises(UserError, match="Adapters came with format 2"):
        manifest.read(folder)


VALID = msgspec.json.encode(described(files=dict.fromkeys(FILES, "0" * 64)))


@given(st.binary() | st.integers(0, len(VALID)).map(lambda end: VALID[:end]) | st.just(b"[" * 100_000))
def test_whatever_the_bytes_there_is_a_manifest_or_a_clear_error(data: bytes) -> None:
    try:
        message = manifest.decode(data).name
    except UserError as error:
        message = error.message
    assert isinstance(message, str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    ),
    st.sampled_from(list(msgspec.json.decode(VALID))),
)
def test_whatever_a_field_holds_there_is_a_manifest_or_a_clear_error(value: object, field: str) -> None:
    try:
        message = manifest.decode(json.dumps({**json.loads(VALID), field: value}).encode()).name
    except UserError as error:
        message = error.message
    assert isinstance(message, str)

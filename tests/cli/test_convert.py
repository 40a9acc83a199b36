"""`lepton convert` as it is typed."""

import io
import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from lepton.cli.__main__ import main

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "convert.md"
YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


@pytest.fixture
def cats(tmp_path, monkeypatch):
    """The working folder, with a YOLO data set of two pictures in `cats`."""
    stream = io.BytesIO()
    Image.new("L", (40, 20)).save(stream, "PNG")
    for split in ("train", "val"):
        for folder, name, data in (
            ("images", "a.png", stream.getvalue()),
            ("labels", "a.txt", b"1 0.5 0.5 0.25 0.5\n"),
        ):
            path = tmp_path / "cats" / folder / split / name
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
    (tmp_path / "cats" / "data.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys, *arguments):
    assert main(["convert", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_to_coco_and_what_it_says(cats, capsys):
    assert main(["convert", "cats", "coco", "--format", "coco"]) == 0
    assert capsys.readouterr().out == "coco: 2 records as coco\n"
    document = json.loads((cats / "coco" / "annotations" / "instances_train.json").read_text())
    assert document["annotations"][0]["bbox"] == [15, 5, 10, 10]
    assert sorted(path.name for path in cats.iterdir()) == ["cats", "coco"]


def test_round_and_back(cats, capsys):
    formats = ["coco", "pascal_voc", "cvat", "label_studio", "yolo"]
    for source, format_ in zip(["cats", *formats], formats, strict=False):
        found = told(capsys, source, format_, "--format", format_)
        assert found == {"place": format_, "format": format_, "records": 2, "not_carried": [], "notes": []}
    [path] = (cats / "yolo" / "labels" / "val").iterdir()
    assert [float(part) for part in path.read_text().split()] == [0, 0.5, 0.5, 0.25, 0.5]


def test_texts_go_from_one_format_to_another(cats, capsys):
    (cats / "intents.csv").write_text("text,label\nplay it,music\nrain?,weather\n")
    found = told(capsys, "intents.csv", "clinc", "--format", "clinc")
    assert (found["records"], found["not_carried"]) == (2, [])
    found = told(capsys, "clinc", "snips", "--from", "clinc", "--format", "snips")
    assert found["records"] == 2


def test_what_cannot_be_read_is_told(cats, capsys):
    (cats / "cats" / "labels" / "val" / "a.txt").write_text("9 0 0 1 1")
    assert main(["convert", "cats", "coco", "--format", "coco"]) == 0
    out = capsys.readouterr().out
    assert "1 records as coco" in out
    assert "not carried: 1 record of the source could not be read: images/val/a.png" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cats", "cats", "--format", "coco"), "lies in the source"),
        (("cats", "cats/new", "--format", "coco"), "lies in the source"),
        (("cats", "there", "--format", "coco"), "exists already"),
        (("gone", "new", "--format", "coco"), "There is no"),
        (("cats", "new", "--format", "idx"), "can only be read"),
        (("cats", "new", "--format", "no-such"), "Unknown formats plug-in"),
        (("cats", "new", "--format", "squad"), "cannot be written as SQuAD"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(cats, capsys, arguments, message):
    (cats / "there").mkdir()
    assert main(["convert", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in cats.iterdir()) == ["cats", "there"]
    assert sorted(path.name for path in (cats / "cats").iterdir()) == ["data.yaml", "images", "labels"]


def test_masks_with_settings_of_their_format(cats, capsys):
    for folder, value in (("images", 9), ("masks", 1)):
        (cats / "scenes" / folder).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (4, 4), value + number).save(cats / "scenes" / folder / f"{number}.png")
    as_masks = '{ name = "image_masks", classes = ["sky", "road"], ignore = 2 }'
    found = told(capsys, "scenes", "new", "--from", as_masks, "--format", "image_masks")
    assert found["not_carried"] == []
    assert (cats / "new" / "classes.txt").read_text() == "0 sky\n1 road\n2 void\n"


def test_the_commands_of_the_page_run(cats, capsys):
    (cats / "cats").rename("cells")
    for folder in ("images", "masks"):
        (cats / "scenes" / folder).mkdir(parents=True)
        Image.new("L", (4, 4), 1).save(cats / "scenes" / folder / "0.png")
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err


def test_a_task_says_what_the_labels_are(cats, capsys):
    for split in ("train", "val"):
        (cats / "cats" / "images" / split / "b").mkdir()
        (cats / "cats" / "images" / split / "a.png").rename(cats / "cats" / "images" / split / "b" / "a.png")
    arguments = ["cats", "new", "--format", "cvat", "--task", "image-classification"]
    assert told(capsys, *arguments)["records"] == 2
    assert 'tag label="b"' in (cats / "new" / "annotations.xml").read_text()

import pytest

from lepton.core.errors import UserError
from lepton.formats import audio_folders, audio_manifest, image_folders, image_manifest, table

LIST = "filename,fold,category\na.wav,1,dog\nb.wav,2,rain\nc.wav,1,dog\n"


def test_a_list_in_a_folder_beside_the_files(put, tmp_path, wav):
    for name in "abc":
        put(f"audio/{name}.wav", wav())
    put("meta/list.csv", LIST)
    reading = audio_manifest.read(tmp_path)
    assert [(record.id, record.label) for record in reading.records] == [
        ("meta/list.csv#0", "dog"),
        ("meta/list.csv#1", "rain"),
        ("meta/list.csv#2", "dog"),
    ]
    assert reading.records[1].raw == tmp_path / "audio/b.wav"
    assert reading.records[1].fields["fold"] == "2"


def test_one_format_takes_it(put, tmp_path, wav):
    put("a.wav", wav())
    path = put("list.csv", LIST)
    assert audio_manifest.sniff(tmp_path)
    assert audio_manifest.sniff(path)
    assert not audio_folders.sniff(tmp_path)
    assert not table.sniff(path)
    assert not image_manifest.sniff(tmp_path)


def test_images_with_splits_in_a_column(put, tmp_path, png):
    for name in ("x/1.png", "x/2.png"):
        put(name, png())
    put("labels.tsv", "path\tlabel\tsplit\nx/1.png\tcat\ttrain\nx/2.png\tdog\tval\n")
    assert not image_folders.sniff(tmp_path)
    assert [(r.label, r.split) for r in image_manifest.read(tmp_path).records] == [
        ("cat", "train"),
        ("dog", "validation"),
    ]


def test_a_list_for_each_split(put, tmp_path, png):
    for name in ("1.png", "2.png"):
        put(name, png())
    put("train.csv", "image,label\n1.png,cat\n")
    put("test.csv", "image,label\n2.png,dog\n")
    assert [(r.id, r.split) for r in image_manifest.read(tmp_path).records] == [
        ("train.csv#0", "train"),
        ("test.csv#0", "test"),
    ]


def test_labels_and_fields_from_a_pattern(put, tmp_path, wav):
    put("7_ann_1.wav", wav())
    put("list.csv", "file,text\n7_ann_1.wav,seven it is\n")
    record = audio_manifest.read(tmp_path, pattern="{label}_{speaker}_{n}.wav").records[0]
    assert record.label == "7"
    assert record.fields["speaker"] == "ann"


@pytest.mark.parametrize("name", ["../../etc/passwd.wav", "/etc/passwd.wav", "..\\..\\x.wav", "gone.wav", "C:\\x.wav"])
def test_files_outside_or_missing_are_bad_records(put, tmp_path, wav, name):
    put("in/a.wav", wav())
    put("etc/passwd.wav", wav())
    put("in/list.csv", f"file,label\na.wav,x\n{name},y\n")
    reading = audio_manifest.read(tmp_path / "in")
    assert [record.label for record in reading.records] == ["x"]
    assert [bad.id for bad in reading.bad] == ["list.csv#1"]


def test_a_file_named_twice_is_noted_and_an_unlabelled_row_is_bad(put, tmp_path, wav):
    put("a.wav", wav())
    put("list.csv", "file,label\na.wav,x\na.wav,y\na.wav,\n")
    reading = audio_manifest.read(tmp_path)
    assert any("more than once" in note for note in reading.notes)
    assert [bad.reason for bad in reading.bad] == ["has no label"]


def test_a_folder_without_a_list(tmp_path):
    with pytest.raises(UserError, match="no CSV or TSV"):
        audio_manifest.read(tmp_path)

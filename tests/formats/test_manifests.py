import pytest

from lepton.core.errors import UserError
from lepton.core.types import Record
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


def test_ljspeech_names_without_suffix_bars_and_transcripts(put, tmp_path, wav):
    for name in ("LJ001-0001", "LJ001-0002"):
        put(f"wavs/{name}.wav", wav())
    put("metadata.csv", 'LJ001-0001|Dr. "Who" said 2|Doctor "Who" said two\nLJ001-0002|and so on,|and so on,\n')
    assert audio_manifest.sniff(tmp_path)
    assert not audio_folders.sniff(tmp_path)
    assert not table.sniff(tmp_path)
    reading = audio_manifest.read(tmp_path)
    assert [(record.id, record.raw, record.label) for record in reading.records] == [
        ("metadata.csv#0", tmp_path / "wavs/LJ001-0001.wav", 'Doctor "Who" said two'),
        ("metadata.csv#1", tmp_path / "wavs/LJ001-0002.wav", "and so on,"),
    ]
    assert audio_manifest.read(tmp_path, label="1").records[0].label == 'Dr. "Who" said 2'


COMMON_VOICE = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\n"


def test_common_voice(put, tmp_path, wav):
    for name in ("a", "b", "c", "d"):
        put(f"clips/{name}.mp3", wav())
    put("train.tsv", COMMON_VOICE + 'ann\ta.mp3\t"Hello" there.\t2\t0\t\tfemale\nbob\tb.mp3\tGo.\t2\t1\t\t\n')
    put("dev.tsv", COMMON_VOICE + "cat\tc.mp3\tStop.\t2\t0\t\t\n")
    put("test.tsv", COMMON_VOICE + "dan\td.mp3\tYes.\t2\t0\t\t\n")
    put("validated.tsv", COMMON_VOICE + "ann\ta.mp3\tHello there.\t2\t0\t\t\n")
    reading = audio_manifest.read(tmp_path)
    assert [(record.label, record.split, record.fields["client_id"]) for record in reading.records] == [
        ('"Hello" there.', "train", "ann"),
        ("Go.", "train", "bob"),
        ("Stop.", "validation", "cat"),
        ("Yes.", "test", "dan"),
    ]
    assert "not read, for their names carry no split: validated.tsv" in reading.notes
    assert [record.label for record in audio_manifest.read(tmp_path, label="gender").records] == ["female"]


def test_a_column_of_classes_comes_before_transcripts(put, tmp_path, wav):
    put("a.wav", wav())
    put("list.csv", "file,text,label\na.wav,yes it is,yes\n")
    assert audio_manifest.read(tmp_path).records[0].label == "yes"
    assert audio_manifest.read(tmp_path, label="text").records[0].label == "yes it is"


def test_ids_of_images_without_suffix(put, tmp_path, png):
    for name in ("x1", "x2"):
        put(f"images/{name}.png", png())
    put("labels.csv", "id,breed\nx1,pug\nx2,boxer\n")
    assert image_manifest.sniff(tmp_path)
    assert not image_folders.sniff(tmp_path)
    assert [record.label for record in image_manifest.read(tmp_path, label="breed").records] == ["pug", "boxer"]


def test_what_is_written_comes_back(put, tmp_path, wav):
    records = [
        Record("a/1.wav", put("in/1.wav", wav(1)), "yes", "train", {"speaker": "ann"}),
        Record("A/1.wav", wav(2), "no", "test"),
        Record("../x#3", wav(3), 'said "so, then"', "train"),
    ]
    (tmp_path / "out").mkdir()
    audio_manifest.write(iter(records), tmp_path / "out")
    back = audio_manifest.read(tmp_path / "out")
    assert [(r.read(), r.label, r.split) for r in back.records] == [(r.read(), r.label, r.split) for r in records]
    assert back.records[0].fields["speaker"] == "ann"
    assert not back.bad


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_images_that_are_written_come_back(tmp_path, png, kind):
    image_manifest.write([Record("a#0", png(7, kind=kind), "x"), Record("a#1", png(9, kind=kind), "y")], tmp_path)
    assert [(r.read(), r.label) for r in image_manifest.read(tmp_path).records] == [
        (png(7, kind=kind), "x"),
        (png(9, kind=kind), "y"),
    ]


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n", "a text", b""])
def test_what_is_no_recording_is_refused(tmp_path, raw):
    with pytest.raises(UserError, match="recording"):
        audio_manifest.write([Record("1", raw, "x")], tmp_path)


def test_ljspeech32(real, tmp_path):
    reading = audio_manifest.read(real("ljspeech32"))
    assert (len(reading.records), len(reading.bad)) == (32, 0)
    assert "fourteen sixty-five" in reading.records[30].label
    (tmp_path / "wavs").symlink_to(real("ljspeech32") / "wavs")
    (tmp_path / "metadata.csv").write_bytes((real("ljspeech32") / "metadata.csv").read_bytes())
    bare = audio_manifest.read(tmp_path)
    assert [record.label for record in bare.records] == [record.label for record in reading.records]

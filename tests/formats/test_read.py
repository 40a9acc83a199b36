import pytest

from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.formats._read import has_password, is_address, read

CSV = "text,label\na few words,x\nsome more,y\n"


def test_a_path_relative_to_the_base(put, tmp_path):
    put("data/x.csv", CSV)
    assert [record.id for record in read("data/x.csv", base=tmp_path).records] == ["x.csv#0", "x.csv#1"]
    assert len(read(str(tmp_path / "data/x.csv"), base=tmp_path / "elsewhere").records) == 2


def test_one_path_a_split(put, tmp_path):
    put("train.csv", CSV)
    put("b.csv", "text,label,split\na few words,x,train\n")
    reading = read({"test": "b.csv", "train": "train.csv"}, base=tmp_path)
    assert [(r.id, r.split) for r in reading.records] == [
        ("train:train.csv#0", "train"),
        ("train:train.csv#1", "train"),
        ("test:b.csv#0", "test"),
    ]
    assert any("not heeded" in note for note in reading.notes)


def test_bad_records_carry_their_split_too(put, tmp_path):
    put("a.csv", CSV + ",z\n")
    assert [bad.id for bad in read({"train": "a.csv"}, base=tmp_path).bad] == ["train:a.csv#2"]


def test_the_built_in_name(tmp_path):
    pytest.importorskip("sklearn")
    assert len(read("digits", base=tmp_path, modality="image").records) == 1797


def test_options_go_to_the_format(put, tmp_path):
    put("x.csv", "a,b\nsome words,x\n")
    assert read("x.csv", base=tmp_path, text="a", label="b").records[0].label == "x"
    put("w/ann_1.wav", "x")
    put("w/bob_2.wav", "x")
    reading = read("w", base=tmp_path, pattern="{speaker}_{n}.wav", label="speaker")
    assert [record.label for record in reading.records] == ["ann", "bob"]


def test_a_format_with_settings(put, tmp_path):
    put("x.csv", "a,b,label\nsome words,x,y\n")
    for chosen in ({"name": "table", "text": "a", "label": "b"}, '{ name = "table", text = "a", label = "b" }'):
        assert read("x.csv", base=tmp_path, format=chosen).records[0].label == "x"
    assert read("x.csv", base=tmp_path, format={"text": "a"}, label="b").records[0].label == "x"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://ann:secret@host/x", True),
        ("postgresql://ann:a/b@host/x", True),
        ("postgresql://host/x?password=secret", True),
        ("postgresql://ann:${PASSWORD}@host:5432/x", False),
        ("postgresql://ann@host:5432/x?password=${PASSWORD}", False),
        ("sqlite:///x.db", False),
        ("hf://ann/reviews?config=a", False),
    ],
)
def test_passwords_in_addresses(address, told):
    assert is_address(address)
    assert has_password(address) is told


def test_the_modality_chooses(put, tmp_path, png):
    put("cat/1.png", png())
    put("dog/1.png", png())
    put("x.csv", CSV)
    assert len(read(".", base=tmp_path, modality="image").records) == 2
    assert len(read(".", base=tmp_path, modality="text").records) == 2
    with pytest.raises(UserError, match="several formats"):
        read(".", base=tmp_path)
    assert len(read(".", base=tmp_path, format="table").records) == 2
    with pytest.raises(UserError, match="holds no audio data"):
        read(".", base=tmp_path, modality="audio")


@pytest.mark.parametrize(
    ("source", "options", "word"),
    [
        ("x.cvs", {}, "Did you mean .*x.csv"),
        ("", {}, "source"),
        ("a\0b", {}, "source"),
        ("x" * 5000, {}, "There is no"),
        ("folder", {}, "is empty"),
        ("empty.csv", {}, "is empty"),
        ("noise.bin", {}, "no known format"),
        ("x.csv", {"format": "tabel"}, "Did you mean 'table'"),
        ("gone.csv", {"format": "table"}, "There is no"),
        ("x.csv", {"pattern": "{label}.wav"}, r"\[data.pattern\] is not understood"),
        ({"train": "x.csv", "tset": "x.csv"}, {}, "Did you mean 'test'"),
        ({"test": "x.csv"}, {}, "no training data"),
        ({}, {}, "no training data"),
        ({"train": 3}, {}, "source"),
        ("unlabelled.csv", {}, "can be read"),
        ("x.csv", {"format": {"name": "table", "text": 3}}, r"\[data.text\] is wrong"),
        ("x.csv", {"format": "{ name = "}, r"\[data.format\] is wrong"),
        ("ftp://x.csv", {}, "Unknown kind of address"),
    ],
)
def test_mistakes_are_explained(put, tmp_path, source, options, word):
    put("x.csv", CSV)
    put("empty.csv", "")
    put("noise.bin", bytes(range(256)))
    put("unlabelled.csv", "text,label\na b,\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=word):
        read(source, base=tmp_path, **options)


def test_every_format_keeps_its_contract(tmp_path):
    found = plugins.names("formats")
    assert len(found) >= 9
    for name in found:
        module = plugins.load("formats", name)
        assert module.MODALITY in ("image", "text", "audio", "volume")
        assert module.sniff(tmp_path) is False
        assert module.sniff(tmp_path / "gone") is False
        with pytest.raises(UserError):
            module.read(tmp_path)


@pytest.mark.parametrize(
    ("source", "options", "count"),
    [
        ("clothing", {}, 841),
        ("mnist-10k", {}, 10_000),
        ("pneumonia-mnist", {}, 5_030),
        ("banking77", {}, 13_083),
        ("wnut17", {}, 5_690),
        ("financial-phrasebank", {}, 1_937),
        ("snips", {}, 14_484),
        ("snips", {"label": "slots"}, 14_484),
        ("xquad", {}, 5_950),
        ("ljspeech32", {}, 32),
        ("spoken-digits", {"pattern": "{label}_{speaker}_{index}.wav"}, 3_000),
    ],
)
def test_real_data_need_no_format(real, source, options, count):
    path = real(source)
    reading = read(path.name, base=path.parent, **options)
    assert (len(reading.records), len(reading.bad)) == (count, 0)
    assert len({record.id for record in reading.records}) == count

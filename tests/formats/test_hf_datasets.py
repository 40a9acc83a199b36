import json

import pytest

from lepton.core.errors import UserError
from lepton.core.types import Span
from lepton.formats import hf_audio, hf_datasets, hf_images
from lepton.formats._read import read

arrow = pytest.importorskip("pyarrow")

CLASSES = {"names": ["bad", "good"], "_type": "ClassLabel"}
TEXTS = {"text": {"dtype": "string", "_type": "Value"}, "label": CLASSES}
VALUE = {"dtype": "string", "_type": "Value"}
TAGGED = {
    "tokens": {"feature": VALUE, "_type": "List"},
    "ner_tags": {"feature": {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}, "_type": "List"},
}


def shard(path, columns, features, stream=True):
    """An Arrow file as the library writes it, in batches of two rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = arrow.table(columns).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})} if features else {}
    )
    writer = arrow.ipc.new_stream if stream else arrow.ipc.new_file
    with writer(str(path), table.schema) as sink:
        sink.write_table(table, max_chunksize=2)


def saved(folder, columns, features=TEXTS, shards=1):
    """A folder as `save_to_disk` of one part leaves it."""
    size = -(-len(next(iter(columns.values()))) // shards)
    names = [f"data-{at:05}-of-{shards:05}.arrow" for at in range(shards)]
    for at, name in enumerate(names):
        cut = {key: values[at * size : (at + 1) * size] for key, values in columns.items()}
        shard(folder / name, cut, features)
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))


def texts(name, count=5):
    return {"text": [f"{name} words {n}" for n in range(count)], "label": [n % 2 for n in range(count)]}


def test_parts_shards_and_class_names(tmp_path):
    saved(tmp_path / "train", texts("train"), shards=2)
    saved(tmp_path / "test", texts("test", 2))
    saved(tmp_path / "unsupervised", texts("more", 2))
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test", "unsupervised"]}))
    reading = read(".", base=tmp_path)
    assert [(record.id, record.raw, record.label, record.split) for record in reading.records] == [
        *((f"train#{n}", f"train words {n}", ["bad", "good"][n % 2], "train") for n in range(5)),
        ("test#0", "test words 0", "bad", "test"),
        ("test#1", "test words 1", "good", "test"),
    ]
    assert any("left aside" in note and "unsupervised" in note for note in reading.notes)


def test_one_part_without_a_name_and_files_of_batches(tmp_path):
    saved(tmp_path, texts("x", 3))
    shard(tmp_path / "data-00000-of-00001.arrow", texts("x", 3), TEXTS, stream=False)
    reading = hf_datasets.read(tmp_path)
    assert [(record.id, record.split) for record in reading.records] == [(f"data#{n}", None) for n in range(3)]


def test_tokens_and_tags(tmp_path):
    saved(tmp_path, {"tokens": [["Ann", "Lee", "ran"], ["x"], []], "ner_tags": [[1, 2, 0], [0, 0], []]}, TAGGED)
    reading = hf_datasets.read(tmp_path)
    assert [(record.raw, record.label) for record in reading.records] == [("Ann Lee ran", (Span(0, 7, "PER"),))]
    assert [bad.reason for bad in reading.bad] == ["1 tokens have 2 tags", "'tokens' is empty"]


def test_images_and_recordings_are_formats_of_their_own(tmp_path, png, wav):
    for kind, make, module in (("image", png, hf_images), ("audio", wav, hf_audio)):
        folder = tmp_path / kind
        cells = [{"bytes": make(), "path": None}, {"bytes": None, "path": "gone"}, {"bytes": make(3), "path": None}]
        saved(folder, {kind: cells, "label": [0, 1, 1]}, {kind: {"_type": kind.title()}, "label": CLASSES})
        assert module.sniff(folder)
        assert not hf_datasets.sniff(folder)
        reading = read(kind, base=tmp_path)
        assert [(record.raw, record.label) for record in reading.records] == [(make(), "bad"), (make(3), "good")]
        assert [bad.id for bad in reading.bad] == ["data#1"]


def test_parquet_files_of_the_hub(tmp_path, png):
    parquet = pytest.importorskip("pyarrow.parquet")
    features = {"image": {"_type": "Image"}, "label": CLASSES}
    (tmp_path / "data").mkdir()
    for split, count in (("train", 3), ("test", 1)):
        cells = [{"bytes": png(n), "path": f"{n}.png"} for n in range(count)]
        made = arrow.table({"image": cells, "label": [n % 2 for n in range(count)]})
        noted = {"huggingface": json.dumps({"info": {"features": features}})}
        parquet.write_table(made.replace_schema_metadata(noted), tmp_path / f"data/{split}-00000-of-00001.parquet")
    assert not hf_audio.sniff(tmp_path)
    reading = read(".", base=tmp_path)
    assert [(record.id, record.raw, record.label, record.split) for record in reading.records] == [
        ("train#0", png(0), "bad", "train"),
        ("train#1", png(1), "good", "train"),
        ("train#2", png(2), "bad", "train"),
        ("test#0", png(0), "bad", "test"),
    ]
    assert len(read("data/train-00000-of-00001.parquet", base=tmp_path).records) == 3


def test_the_cache_is_looked_into_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    for config in ("plain", "other"):
        folder = tmp_path / "ann___reviews" / config / "0.0.0" / "abc"
        shard(folder / "reviews-train-00000-of-00002.arrow", texts(config, 2), TEXTS)
        shard(folder / "reviews-train-00001-of-00002.arrow", texts(config, 1), TEXTS)
        shard(folder / "reviews-test.arrow", texts(config, 1), TEXTS)
        info = {"features": TEXTS, "splits": {"train": {}, "test": {}}}
        (folder / "dataset_info.json").write_text(json.dumps(info))
    reading = read("hf://ann/reviews?config=plain", base=tmp_path / "elsewhere")
    assert [(record.id, record.split) for record in reading.records] == [
        ("train#0", "train"),
        ("train#1", "train"),
        ("train#2", "train"),
        ("test#0", "test"),
    ]
    for address, word in (
        ("hf://ann/reviews", "several configurations"),
        ("hf://ann/none", "not in the cache"),
        ("hf://ann/reviews?config=nope", "other, plain"),
        ("hf://../../etc", "not in the cache"),
    ):
        with pytest.raises(UserError, match=word):
            read(address, base=tmp_path)


def test_broken_folders_are_refused(tmp_path):
    saved(tmp_path / "a", texts("x"))
    (tmp_path / "a/data-00000-of-00001.arrow").write_bytes(b"no arrow at all")
    saved(tmp_path / "b", texts("x"))
    whole = (tmp_path / "b/data-00000-of-00001.arrow").read_bytes()
    (tmp_path / "b/data-00000-of-00001.arrow").write_bytes(whole[: len(whole) // 2])
    saved(tmp_path / "c", texts("x"))
    (tmp_path / "c/data-00000-of-00001.arrow").unlink()
    (tmp_path / "d").mkdir()
    (tmp_path / "d/state.json").write_text('{"_data_files": [{"filename": "../c/x.arrow"}, 3]}')
    (tmp_path / "e").mkdir()
    (tmp_path / "e/dataset_dict.json").write_text("[" * 100_000)
    (tmp_path / "f").mkdir()
    (tmp_path / "f/state.json").write_text('{"_data_files": "abc"}')
    for name in "abcdef":
        with pytest.raises(UserError):
            hf_datasets.read(tmp_path / name)
        with pytest.raises(UserError):
            read(name, base=tmp_path)

from pathlib import Path

from lepton.core.types import Box, Files, Mask, Record, Span
from lepton.stages import _records


def test_records_come_back_whatever_holds_them(tmp_path):
    raws = ["a text", b"bytes", Path("a/1.png"), Files((Path("a/1"), Path("a/2"))), b"more bytes"]
    records = [Record(str(at), raw, "x", "train", {"patient": "p"}) for at, raw in enumerate(raws)]
    _records.write_records(tmp_path / "records.jsonl", records)
    assert _records.read_records(tmp_path / "records.jsonl") == records


def test_labels_of_every_kind_come_back(tmp_path):
    mask = Mask("a.png", ((0, "sky"), ((1, 2, 3), "car")), (255,))
    labels = [None, "x", (), (Span(0, 2, "name"),), (Box(0.5, 0, 2, 3, "cat"), Box(1, 1, 2, 2, "dog")), mask]
    records = [Record(str(at), b"raw", label) for at, label in enumerate(labels)]
    _records.write_records(tmp_path / "records.jsonl", records)
    back = _records.read_records(tmp_path / "records.jsonl")
    assert [record.label for record in back] == labels
    assert [type(record.label) for record in back] == [type(label) for label in labels]

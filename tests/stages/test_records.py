from pathlib import Path

from lepton.core.types import Files, Record
from lepton.stages import _records


def test_records_come_back_whatever_holds_them(tmp_path):
    raws = ["a text", b"bytes", Path("a/1.png"), Files((Path("a/1"), Path("a/2"))), b"more bytes"]
    records = [Record(str(at), raw, "x", "train", {"patient": "p"}) for at, raw in enumerate(raws)]
    _records.write_records(tmp_path / "records.jsonl", records)
    assert _records.read_records(tmp_path / "records.jsonl") == records

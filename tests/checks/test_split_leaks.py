from lepton.checks import split_leaks
from lepton.formats._read import read


def test_train_records_come_first(texts):
    records = texts(
        ("q", "x", "test"), ("a", "x", "train"), ("q", "x", "train"), ("q ", "y", "train"), ("b", "x", "test")
    )
    [finding] = split_leaks.find(records)
    assert [suspect.id for suspect in finding.records] == ["2", "3", "0"]
    assert [suspect.score for suspect in finding.records] == [1.0, 1.0, 0.5]
    assert finding.message == "1 test record also stands in train, as 2 records there."


def test_each_pair_of_splits_has_its_finding(texts):
    records = texts(("a", "x", "train"), ("a", "x", "validation"), ("a", "x", "test"))
    assert [finding.message.split(",")[0] for finding in split_leaks.find(records)] == [
        "1 test record also stands in train",
        "1 validation record also stands in train",
        "1 test record also stands in validation",
    ]


def test_without_splits_there_is_nothing_to_leak(texts):
    assert split_leaks.find(texts(("a", "x"), ("a", "x"))) == []


def test_the_six_questions_of_banking77(real):
    path = real("banking77")
    reading = read(path.name, base=path.parent, modality="text")
    [finding] = split_leaks.find(reading.records)
    leaked = [suspect.id for suspect in finding.records if suspect.id.startswith("test.csv#")]
    train = [suspect.id for suspect in finding.records if suspect.id.startswith("train.csv#")]
    assert len(leaked) == 6
    assert [suspect.id for suspect in finding.records][: len(train)] == train
    by_id = {record.id: record for record in reading.records}
    assert {by_id[one].raw.strip() for one in leaked} == {by_id[one].raw.strip() for one in train}


def test_the_ten_questions_of_trec(real):
    path = real("sentences")
    reading = read({"train": "TREC.train.all", "test": "TREC.test.all"}, base=path, modality="text")
    [finding] = split_leaks.find(reading.records)
    assert sum(suspect.id.startswith("test:") for suspect in finding.records) == 10

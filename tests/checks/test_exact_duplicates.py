from lepton.checks import exact_duplicates


def test_later_copies_within_a_split_are_named(texts):
    records = texts(
        ("a", "x", "train"), ("b", "x", "train"), ("a ", "x", "train"), ("a", "x", "test"), ("a", "y", "train")
    )
    [finding] = exact_duplicates.find(records)
    assert [suspect.id for suspect in finding.records] == ["2", "4"]
    assert finding.message.startswith("2 records in train")


def test_nothing_to_find(texts):
    assert exact_duplicates.find(texts(("a", "x"), ("b", "x"))) == []
    assert exact_duplicates.find([]) == []

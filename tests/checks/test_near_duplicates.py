from lepton.checks import _near, near_duplicates


def found(records):
    return near_duplicates.find(records, near=_near.pairs(records))


def names(finding):
    return [suspect.id for suspect in finding.records]


def test_across_splits_those_in_train_come_first(texts):
    records = texts(("where is it", "x", "test"), ("Where is it?", "x", "train"), ("Where was it?", "x", "train"))
    [finding] = found(records)
    assert finding.severity == "warning"
    assert names(finding) == ["1", "0"]
    assert [suspect.score for suspect in finding.records] == [1.0, 0.5]
    assert finding.message == "1 test record leaks from train, nearly the same as 1 record there: 0 and 1."


def test_within_a_split_the_first_of_each_cluster_comes_last(texts):
    records = texts(("one", "x"), ("One", "x"), ("two", "x"), ("ONE!", "x"))
    [finding] = found(records)
    assert finding.severity == "info"
    assert names(finding) == ["1", "3", "0"]


def test_equal_contents_alone_are_no_finding_here(texts):
    records = texts(("same", "x", "train"), ("same", "x", "train"), ("same", "x", "test"), ("else", "x", "test"))
    assert found(records) == []


def test_equal_contents_that_something_resembles_are_named_with_it(texts):
    records = texts(("same", "x", "train"), ("same", "x", "train"), ("Same.", "x", "test"))
    [finding] = found(records)
    assert sorted(names(finding)) == ["0", "1", "2"]


def test_likeness_is_the_score(texts):
    long = "the quick brown fox jumps over the lazy dog while the slow red cat looks on from the wall of the garden"
    [finding] = found(texts((long, "x"), (long + "s", "x")))
    assert 0.95 <= finding.records[0].score < 1
    assert finding.records[1].score == finding.records[0].score / 2

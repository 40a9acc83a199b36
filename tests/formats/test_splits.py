from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.formats._splits import carve


def make(count=200, classes=4, speakers=5, split=None):
    return [
        Record(
            str(n),
            f"text {n}",
            f"c{n % classes}",
            split,
            {"speaker": f"s{n // classes % speakers}", "index": str(n % 7)},
        )
        for n in range(count)
    ]


def counts(records):
    return Counter(record.split for record in records)


def cut(records, clusters=None, seed=0, **split):
    return carve(records, split=split, clusters=clusters or {}, seed=seed)


def test_shares_are_exact_and_stratified():
    made = cut(make(), test=0.2, validation=0.1)
    assert counts(made) == {"train": 140, "test": 40, "validation": 20}
    assert Counter(record.label for record in made if record.split == "test") == dict.fromkeys(
        ("c0", "c1", "c2", "c3"), 10
    )
    assert [record.id for record in made] == [record.id for record in make()]


def test_shares_are_exact_over_many_small_classes():
    made = cut(make(300, classes=100), test=0.2, validation=0.1)
    assert counts(made) == {"train": 210, "test": 60, "validation": 30}
    assert len({record.label for record in made if record.split == "train"}) == 100


def test_it_is_the_seed_that_decides():
    assert cut(make(), test=0.2, seed=3) == cut(make(), test=0.2, seed=3)
    assert cut(make(), test=0.2, seed=3) != cut(make(), test=0.2, seed=4)


def test_given_splits_win():
    given_test = [*make(100, split="train"), *(Record(f"t{n}", "x", "c0", "test") for n in range(9))]
    made = cut(given_test, test=0.5, validation=0.2)
    assert counts(made) == {"train": 80, "validation": 20, "test": 9}
    assert {record.id[0] for record in made if record.split == "test"} == {"t"}


def test_groups_never_straddle():
    made = cut(make(), test=0.2, validation=0.2, group="speaker")
    sides = defaultdict(set)
    for record in made:
        sides[record.fields["speaker"]].add(record.split)
    assert all(len(found) == 1 for found in sides.values())
    assert counts(made) == {"train": 120, "test": 40, "validation": 40}


def test_groups_of_several_fields_with_the_label_among_them():
    made = cut(make(), test=0.3, group=["label", "speaker"])
    sides = defaultdict(set)
    for record in made:
        sides[record.label, record.fields["speaker"]].add(record.split)
    assert all(len(found) == 1 for found in sides.values())
    assert any(len({record.split for record in made if record.fields["speaker"] == f"s{n}"}) == 2 for n in range(5))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 12)), min_size=8, max_size=60),
    st.integers(0, 5),
)
def test_neither_groups_nor_clusters_straddle(items, seed):
    records = [Record(str(n), "x", str(a), None, {"g": str(b)}) for n, (a, b, _) in enumerate(items)]
    clusters = {str(n): c for n, (_, _, c) in enumerate(items) if c < 6}
    try:
        made = cut(records, clusters, seed, test=0.3, group="g")
    except UserError:
        assert len({b for _, b, _ in items}) < 3 or len(clusters) > 2
        return
    sides = defaultdict(set)
    for record in made:
        sides["g", record.fields["g"]].add(record.split)
        sides["c", clusters.get(record.id, record.id)].add(record.split)
    assert all(len(found) == 1 for found in sides.values())


def test_two_groups_still_fill_two_splits():
    assert counts(cut(make(speakers=2), test=0.1, group="speaker")) == {"train": 100, "test": 100}


def test_choice_by_fields():
    made = cut(make(), test={"speaker": ["s1"]}, validation=0.1)
    assert {record.fields["speaker"] for record in made if record.split == "test"} == {"s1"}
    assert counts(made) == {"train": 144, "test": 40, "validation": 16}
    made = cut(make(), test={"index": [0, 1]}, validation={"index": 2})
    assert {record.fields["index"] for record in made if record.split == "test"} == {"0", "1"}
    assert {record.fields["index"] for record in made if record.split == "validation"} == {"2"}


def test_entities_are_stratified_by_having_any():
    records = [Record(str(n), "x", (Span(0, 1, "X"),) if n % 4 == 0 else ()) for n in range(80)]
    made = cut(records, test=0.25)
    assert Counter(bool(record.label) for record in made if record.split == "test") == {True: 5, False: 15}


@pytest.mark.parametrize(
    ("split", "word"),
    [
        ({"tset": 0.1}, "Did you mean 'test'"),
        ({"test": 1.5}, "share is a number"),
        ({"test": -0.1}, "share is a number"),
        ({"test": True}, "share is a number"),
        ({"test": "0.1"}, "share is a number"),
        ({"test": 0.6, "validation": 0.5}, "nothing to train on"),
        ({"test": 0.2, "group": "patient"}, "Unknown field.*label"),
        ({"test": 0.2, "group": []}, "field or a list"),
        ({"test": 0.2, "group": 3}, "field or a list"),
        ({"test": {"speaker": ["nobody"]}}, "chooses no record.*s0"),
        ({"test": {}}, "chooses no record"),
        ({"test": {"mic": ["a"]}}, "Unknown field"),
        ({"test": {"index": ["1"]}, "group": "speaker"}, "on two sides"),
        ({"test": {"speaker": ["s0", "s1", "s2", "s3", "s4"]}}, "train split would be empty"),
        ({"test": 0.001}, None),
    ],
)
def test_mistakes_are_explained(split, word):
    if word is None:
        assert counts(carve(make(), split=split, clusters={}, seed=0))["test"] == 1
        return
    with pytest.raises(UserError, match=word):
        carve(make(), split=split, clusters={}, seed=0)


def test_one_group_cannot_be_split():
    with pytest.raises(UserError, match="test split would be empty.*groups"):
        cut(make(speakers=1), test=0.2, group="speaker")


def test_a_choice_against_a_given_split():
    with pytest.raises(UserError, match="test split already"):
        cut([*make(), Record("t", "x", "c0", "test", {"speaker": "s1"})], test={"speaker": ["s1"]})


def dated(*days, **more):
    return [
        Record(f"r{n}", f"text {n}", "ab"[n % 2], more.get("split"), {"day": day, "who": f"w{n % 3}"})
        for n, day in enumerate(days)
    ]


def test_the_latest_records_are_held_out():
    days = [f"2026-01-{day:02d}" for day in (9, 2, 7, 1, 10, 3, 8, 4, 6, 5)]
    made = cut(dated(*days), test=0.2, validation=0.1, time="day")
    assert [record.fields["day"][-2:] for record in made if record.split == "test"] == ["09", "10"]
    assert [record.fields["day"][-2:] for record in made if record.split == "validation"] == ["08"]
    assert cut(dated(*days), test=0.2, validation=0.1, time="day", seed=5) == made


def test_times_are_numbers_or_dates_of_any_zone_and_numbers_are_not_compared_as_text():
    assert [record.split for record in cut(dated("9", "10", "8"), test=0.3, time="day")] == ["train", "test", "train"]
    made = cut(dated("2026-01-01T23:30-05:00", "2026-01-02T00:30+00:00", "2026-01-01"), test=0.3, time="day")
    assert [record.split for record in made] == ["test", "train", "train"]


def test_one_moment_and_one_cluster_stay_together_by_their_latest():
    made = cut(dated("1", "5", "5", "5", "2", "3"), test=0.2, time="day")
    assert [record.split for record in made] == ["train", "test", "test", "test", "train", "train"]
    clusters = {"r0": "same", "r3": "same"}
    made = cut(dated("1", "2", "3", "9", "4", "5", "6", "7", "8", "0"), clusters, test=0.2, time="day")
    assert [record.id for record in made if record.split == "test"] == ["r0", "r3"]


def test_given_tests_stay_and_validation_is_the_latest_of_train():
    records = [*dated(*"123456789", split="train"), Record("t", "x", "a", "test", {"day": "0", "who": "w"})]
    made = cut(records, test=0.3, validation=0.2, time="day")
    assert [record.id for record in made if record.split == "validation"] == ["r7", "r8"]
    assert counts(made)["test"] == 1


@pytest.mark.parametrize(
    ("days", "time", "fault"),
    [
        (("1", "2", "soon"), "day", "field day of r2 is no time.*soon"),
        (("1", "2", "nan"), "day", "is no time"),
        (("1", "2", "3"), "year", "Unknown field"),
        (("1", "2", "3"), 5, "It is a field"),
        (("1", "1", "1"), "day", "test split would be empty"),
    ],
)
def test_what_is_no_time_is_refused(days, time, fault):
    with pytest.raises(UserError, match=fault):
        cut(dated(*days), test=0.3, time=time)

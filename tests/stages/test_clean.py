"""Cleaning, on texts whose labels are partly wrong; the judge is put in, so that only the deciding is tested."""

from dataclasses import replace

import numpy as np
import pytest

from lepton.core.types import Record, Span
from lepton.stages import _clean, _out_of_fold
from lepton.stages._out_of_fold import Asked, Judged

WORDS = {
    "weather": ["rain", "sun", "wind", "snow", "cloud", "storm", "frost", "hail"],
    "food": ["bread", "soup", "rice", "cake", "fish", "butter", "salad", "pepper"],
    "music": ["song", "drum", "flute", "choir", "tune", "harp", "opera", "band"],
}
NAMES = list(WORDS)


def corpus(noise=0.4, count=160):
    """Training texts of which a share is labelled as the next class, and clean validation and test texts."""
    random = np.random.default_rng(0)
    found = []
    for name, words in WORDS.items():
        for number in range(count):
            split = "validation" if number % 4 == 0 else "test" if number % 4 == 1 else "train"
            text = " ".join([*random.choice(words, 2), *random.choice(sum(WORDS.values(), []), 2)])
            found.append(Record(f"{name}{number}", f"{text} {number}", name, split))
    wrong = {item.id for item in found if item.split == "train" and random.random() < noise}
    return [replace(item, label=other(item.label)) if item.id in wrong else item for item in found], wrong


def other(name):
    return NAMES[(NAMES.index(name) + 1) % len(NAMES)]


@pytest.fixture
def judge(monkeypatch):
    """Let `wrong` be the records that models doubt; what they were asked about is kept."""
    asked = []

    def put(wrong):
        def suspects(records, how):
            asked.append({record.split for record in records})
            before = {item.id: NAMES[NAMES.index(item.label) - 1] for item in records}
            return Judged({item.id: 0.9 if item.id in wrong else 0.1 for item in records}, before, len(wrong))

        monkeypatch.setattr(_out_of_fold, "suspects", suspects)
        return asked

    return put


def how(rules=_clean.RULES, decided=()):
    return _clean.How("text-classification", rules, Asked(), frozenset(decided))


def test_what_helps_is_kept_with_its_interval(judge):
    records, wrong = corpus()
    asked = judge(wrong)
    done = _clean.clean(records, how())
    facts = done.facts
    assert facts["kept"] in _clean.RULES
    assert facts["suspects"] == len(wrong)
    best = max(facts["tried"], key=lambda row: row["value"])
    assert best["rule"] == facts["kept"]
    assert 0 < best["low"] <= best["value"] <= best["high"]
    assert best["value"] == pytest.approx(best["with"] - best["without"])
    assert best["level"] == 0.975
    assert asked == [{"train"}, {"train", "validation"}], "the test set takes no part"
    assert {row["id"] for row in facts["records"]} == wrong
    held_out = [record for record in done.records if record.split != "train"]
    assert held_out == [record for record in records if record.split != "train"]


@pytest.mark.parametrize("rule", _clean.RULES)
def test_a_rule_does_what_it_says(judge, rule):
    records, wrong = corpus()
    judge(wrong)
    done = _clean.clean(records, how((rule,)))
    assert done.facts["kept"] == rule
    train = {record.id: record.label for record in done.records if record.split == "train"}
    if rule == "drop":
        assert not wrong & set(train)
        assert len(done.records) == len(records) - len(wrong)
    else:
        assert all(name.startswith(label) for name, label in train.items())
        assert [record.id for record in done.records] == [record.id for record in records]


def test_what_does_not_help_is_not_kept(judge):
    records, _ = corpus(noise=0)
    random = np.random.default_rng(1)
    judge({record.id for record in records if record.split == "train" and random.random() < 0.05})
    done = _clean.clean(records, how())
    assert done.facts["kept"] is None
    assert done.records is records
    assert len(done.facts["tried"]) == 2
    assert "nothing is changed" in done.facts["why"]


def test_labels_that_people_decided_on_stay(judge):
    records, wrong = corpus()
    judge(wrong)
    decided = set(sorted(wrong)[:5])
    done = _clean.clean(records, how(("drop",), decided))
    assert decided <= {record.id for record in done.records}
    assert done.facts["suspects"] == len(wrong) - 5


def test_doubtful_validation_records_do_not_count(judge):
    records, wrong = corpus()
    odd = {record.id for record in records if record.split == "validation" and record.id.endswith("0")}
    judge(wrong | odd)
    facts = _clean.clean(records, how()).facts
    assert (facts["validation"], facts["set_aside"]) == (120, len(odd))


def test_there_may_be_nothing_to_do(judge):
    records, _ = corpus()
    judge(set())
    assert "no training label" in _clean.clean(records, how()).facts["why"]
    train = [record for record in records if record.split == "train"]
    assert "no validation set" in _clean.clean(train, how()).facts["why"]


def test_labels_that_cannot_be_judged_are_told_of():
    entities = [
        Record(str(n), "Anna met Bo", (Span(0, 4, "person"),), "train" if n else "validation") for n in range(9)
    ]
    done = _clean.clean(entities, how())
    assert done.records is entities
    assert "not looked for" in done.facts["why"]

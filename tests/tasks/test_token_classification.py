"""Entities from tags: runs, repairs, paths, words."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Span
from lepton.tasks import token_classification as task

CLASSES = ["loc", "per"]
TAGS = ["O", "B-loc", "I-loc", "B-per", "I-per"]
TEXT = "Ann Lee is in Ulm now"
OFFSETS = [(0, 0), (0, 3), (4, 7), (8, 10), (11, 13), (14, 17), (18, 21), (0, 0)]


def logits_of(tags, confidence=8.0):
    return np.eye(len(TAGS), dtype=np.float32)[[TAGS.index(tag) for tag in tags]] * confidence


def answered(*rows, **decode):
    width = max(map(len, rows))
    logits = np.stack([np.pad(logits_of(row), ((0, width - len(row)), (0, 0))) for row in rows])
    offsets = np.array([(OFFSETS[: len(row)] + [(0, 0)] * width)[:width] for row in rows])
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    settings = {"classes": CLASSES, "decode": {"name": "bio", **decode}}
    found = task.answer(lambda arrays: {"logits": logits}, {"offsets": offsets, "attention_mask": mask}, settings)
    return [task.finish(answer, TEXT) for answer in found]


def places(answer):
    return [(item["entity_group"], item["word"], item["start"], item["end"]) for item in answer]


def test_entities_have_words_places_and_scores():
    (answer,) = answered(["O", "B-per", "I-per", "O", "O", "B-loc", "O", "O"])
    assert places(answer) == [("per", "Ann Lee", 0, 7), ("loc", "Ulm", 14, 17)]
    assert list(answer[0]) == ["entity_group", "score", "word", "start", "end"]
    assert answer[0]["score"] == pytest.approx(1 / (1 + 4 * np.exp(-8)))


def test_a_b_tag_begins_a_new_entity_and_a_stray_i_is_taken_for_one():
    (answer,) = answered(["O", "B-per", "B-per", "O", "I-loc", "I-loc", "I-per", "O"])
    assert places(answer) == [
        ("per", "Ann", 0, 3),
        ("per", "Lee", 4, 7),
        ("loc", "in Ulm", 11, 17),
        ("per", "now", 18, 21),
    ]


def test_special_tokens_and_padding_say_nothing():
    long = ["B-per", "B-per", "O", "O", "O", "O", "O", "B-loc"]
    short = ["B-loc", "O", "B-per"]
    first, second = answered(long, short)
    assert places(first) == [("per", "Ann", 0, 3)]
    assert places(second) == [("per", "Lee", 4, 7)]


def test_no_entities_and_no_tokens_are_an_empty_answer():
    assert answered(["O", "O"]) == [[]]
    assert answered(["B-per"], constrained=True) == [[]]


@pytest.mark.parametrize("seed", range(20))
def test_the_best_path_is_the_best_of_all_legal_ones(seed):
    chances = np.random.default_rng(seed).dirichlet(np.ones(5), 4)

    def legal(path):
        pairs = itertools.pairwise([0, *path])
        return all(tag % 2 or not tag or before in (tag, tag - 1) for before, tag in pairs)

    paths = [path for path in itertools.product(range(5), repeat=4) if legal(path)]
    best = max(paths, key=lambda path: sum(np.log(chances[step, tag]) for step, tag in enumerate(path)))
    assert task.best_path(chances).tolist() == list(best)


def test_constrained_tags_never_need_repair():
    logits = ["O", "I-loc", "I-per", "I-per", "O", "O", "O", "O"]
    (answer,) = answered(logits, constrained=True)
    assert all(item["start"] in (0, 4, 8) for item in answer)


@given(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8))
def test_legal_tags_come_back_as_the_spans_they_were_made_of(tags):
    spans, current = [], None
    for tag, (start, end) in zip(tags, OFFSETS, strict=False):
        kind = tag[2:]
        if start == end:
            continue
        if tag.startswith("I-") and current and current[2] == kind:
            current[1] = end
        elif tag != "O":
            current = [start, end, kind]
            spans.append(current)
        if tag == "O":
            current = None
    (answer,) = answered(tags)
    assert [(item["start"], item["end"], item["entity_group"]) for item in answer] == [tuple(span) for span in spans]


def test_finish_reads_bytes_and_brief_leaves_nothing_out():
    answer = [{"entity_group": "loc", "score": 0.5, "start": 1, "end": 3}]
    assert task.finish(answer, "aÜb".encode())[0]["word"] == "Üb"
    assert task.brief(answer) == answer


def test_classes_are_the_entity_types():
    assert task.classes([(Span(0, 1, "per"),), None, (), (Span(2, 3, "loc"),)]) == ["loc", "per"]
    with pytest.raises(UserError, match="no entities"):
        task.classes([(), None])

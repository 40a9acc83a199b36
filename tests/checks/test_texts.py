import random
import string

import pytest

from lepton.checks import _texts
from lepton.core.progress import Silent
from lepton.core.types import Record

SENTENCE = "the quick brown fox jumps over the lazy dog while the slow red cat looks on from the wall of the garden"


def pairs(*texts):
    records = [Record(str(at), text, None) for at, text in enumerate(texts)]
    return sorted((*sorted(pair[:2]), round(pair[2], 3)) for pair in _texts.pairs(records, Silent()))


def sentences(count):
    dice = random.Random(1)
    words = ["".join(dice.choices(string.ascii_lowercase, k=dice.randint(2, 9))) for _ in range(900)]
    return [" ".join(dice.choices(words, k=12)) for _ in range(count)]


@pytest.mark.parametrize(
    "changed",
    [
        SENTENCE.upper(),
        SENTENCE.title() + "!!",
        SENTENCE.replace(" ", "  \t"),
        SENTENCE.replace(" ", "-"),
        "“" + SENTENCE.replace(" the", ", the") + "…”",
        SENTENCE.replace(" ", ""),
        "\uff34" + SENTENCE[1:],  # a wide T
        SENTENCE.replace("the", "the\u200b"),
    ],
)
def test_case_space_and_punctuation_do_not_count(changed):
    assert pairs(SENTENCE, "something else", changed) == [(0, 2, 1.0)]


def test_letters_digits_marks_and_pictographs_count():
    assert pairs("am 1", "am 2", "é", "e", "fine 😀", "fine 😡", "क्", "क") == []


def test_only_signs_are_compared_as_they_are():
    assert pairs("???", "!!!", " ??? ") == [(0, 2, 1.0)]


def test_a_word_more_in_a_short_text_is_another_text():
    assert pairs("Where is my new card?", "Where was my new card?", "Where is my card?") == []


def test_a_word_more_in_a_long_text_is_the_same_text():
    long = ". ".join(sentences(8))
    assert [pair[:2] for pair in pairs(long, long.replace(" ", " well, ", 1), *sentences(20))] == [(0, 1)]


def test_resemblance_is_the_share_of_common_shingles():
    # abcd bcde cdef ... of "abcdefghijklmnopqrstuvwxyz": 23 of them, and one more with another letter behind.
    assert _texts.resemblance(string.ascii_lowercase, string.ascii_lowercase + "1") == 23 / 24
    assert _texts.resemblance(string.ascii_lowercase, string.ascii_lowercase + "12") == 0.0  # 23 / 25 is too little


def test_among_many_those_and_only_those_are_found():
    texts = sentences(3000)
    copies = [texts[at].replace(" ", " , ") for at in range(0, 3000, 10)]
    edited = [texts[at] + "s" for at in range(5, 3000, 10)]
    found = {pair[:2] for pair in pairs(*texts, *copies, *edited)}
    planted = {(at * 10, 3000 + at) for at in range(300)} | {(at * 10 + 5, 3300 + at) for at in range(300)}
    assert found <= planted
    assert len(found) >= 0.99 * len(planted)


def test_a_crowd_of_the_same_is_tied_together_by_few_pairs():
    crowd = [SENTENCE + "!" * (at + 1) for at in range(300)]
    assert len(pairs(*crowd)) == 299


def test_odd_texts():
    assert pairs("", " ", "\ud800", "a" * 5000, "a" * 5001, "\x00") == [(0, 1, 1.0), (3, 4, 1.0)]

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.training.rewriting import rewritten

WORDS = st.text("abcdefgäß", min_size=1, max_size=6)
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=12), max_size=6)
UNSPACED = st.lists(st.text("花鳥風月雪山水", min_size=1, max_size=12), min_size=1, max_size=6)
COUNTS, SEEDS = st.integers(0, 5), st.integers(0, 1000)


@given(TEXTS, COUNTS, SEEDS)
@settings(max_examples=100, deadline=None)
def test_as_many_as_asked_for_and_none_blank(texts: list[str], count: int, seed: int) -> None:
    made = rewritten(texts, count=count, seed=seed)
    assert len(made) == count * len(texts)
    for index, text in enumerate(made):
        assert bool(text.strip()) == bool(texts[index // count].strip())


@given(TEXTS, COUNTS, SEEDS)
@settings(max_examples=50, deadline=None)
def test_equal_seeds_give_equal_texts(texts: list[str], count: int, seed: int) -> None:
    assert rewritten(texts, count=count, seed=seed) == rewritten(texts, count=count, seed=seed)


def test_other_seeds_give_other_texts() -> None:
    texts = ["where is the card that I ordered last week", "what does it cost to send money abroad"]
    assert len({tuple(rewritten(texts, count=4, seed=seed)) for seed in range(8)}) == 8


@given(TEXTS, st.integers(1, 5), SEEDS)
@settings(max_examples=100, deadline=None)
def test_nothing_is_made_up(texts: list[str], count: int, seed: int) -> None:
    known = set("".join(texts)) | {" "}
    assert set("".join(rewritten(texts, count=count, seed=seed))) <= known


@given(UNSPACED, st.integers(1, 5), SEEDS)
@settings(max_examples=100, deadline=None)
def test_texts_without_spaces_get_none(texts: list[str], count: int, seed: int) -> None:
    made = rewritten(texts, count=count, seed=seed)
    assert all(text and " " not in text for text in made)


def test_long_texts_without_spaces_change() -> None:
    made = rewritten(["花鳥風月雪山水" * 3, "水山雪月風鳥花" * 3], count=50, seed=0)
    assert len(set(made)) > 90


def test_each_text_stands_for_its_own() -> None:
    """Texts of disjoint words: most words of what is made come from the text whose turn it is."""
    texts = [" ".join(f"{letter}{index}" for index in range(12)) for letter in "xyz"]
    made = rewritten(texts, count=100, seed=1)
    for index, letter in enumerate("xyz"):
        own = Counter(word[0] for text in made[100 * index : 100 * (index + 1)] for word in text.split())
        assert own.most_common(1)[0][0] == letter
        assert own[letter] > 0.75 * own.total()


def test_words_keep_their_order_but_for_those_replaced() -> None:
    words = [f"w{index:02d}" for index in range(20)]
    for text in rewritten([" ".join(words)], count=200, seed=2):
        places = [words.index(word) for word in text.split()]
        backwards = sum(one > other for one, other in zip(places, places[1:], strict=False))
        assert backwards <= 10


def test_a_single_word_and_a_blank_text() -> None:
    assert all(text.strip() for text in rewritten([" hello "], count=300, seed=0))
    assert rewritten(["", "  "], count=2, seed=0) == ["", "", "  ", "  "]

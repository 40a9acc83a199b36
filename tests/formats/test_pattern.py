import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.formats._pattern import compile_pattern

WORD = st.text("abcXYZ019-é ", min_size=1, max_size=8)


@given(WORD, WORD, WORD)
def test_fields_come_back(label, speaker, index):
    found = compile_pattern("{label}_{speaker}_{index}.wav").match(f"far/off/{label}_{speaker}_{index}.wav")
    assert found == {"label": label, "speaker": speaker, "index": index}


@given(st.text(max_size=30))
def test_any_pattern_compiles_or_is_the_users_mistake(text):
    try:
        compile_pattern(text)
    except UserError:
        pass
    except re.error:
        pytest.fail("a pattern leaked into the regular expression")


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{label}/{speaker}-{_}.wav", "x/cat/bob-17.wav", {"label": "cat", "speaker": "bob"}),
        ("{label}_*.WAV", "dog_whatever_1.wav", {"label": "dog"}),
        ("{label}_{n}", "dog_1.flac", {"label": "dog", "n": "1"}),
        ("{label}/{label}_{n}.png", "cat/cat_1.png", {"label": "cat", "n": "1"}),
        ("{label}/{label}_{n}.png", "cat/dog_1.png", None),
        ("{label}_{n}.wav", "nothing.wav", None),
        ("{a}.{b}.wav", "x.y.z.wav", {"a": "x", "b": "y.z"}),
        ("{{{label}}}.png", "{cat}.png", {"label": "cat"}),
    ],
)
def test_examples(pattern, path, fields):
    assert compile_pattern(pattern).match(path) == fields


@pytest.mark.parametrize(
    "pattern", ["", "no fields.wav", "{label", "label}", "{}", "{a}{b}", "{a b}", "{a.b}", "{a!r}", "{a:d}", "{0}"]
)
def test_wrong_patterns_are_explained(pattern):
    with pytest.raises(UserError, match="pattern"):
        compile_pattern(pattern)


def test_a_field_may_say_how_many_characters_it_takes():
    pattern = compile_pattern("Image_{child:2}{eye}")
    assert pattern.match("x/Image_08R.jpg") == {"child": "08", "eye": "R"}
    assert compile_pattern("{_:3}{rest}").match("abcdef") == {"rest": "def"}
    assert compile_pattern("{child:2}-{child}").match("08-09") is None


@pytest.mark.parametrize("pattern", ["{a}{b}", "{a:0}", "{a:x}", "{a:-2}", "{a:999}"])
def test_a_number_of_characters_is_from_1_to_99(pattern):
    with pytest.raises(UserError):
        compile_pattern(pattern)

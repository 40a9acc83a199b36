import io

import numpy as np
import pytest
import soundfile

from lepton.checks import _sound_traits, shortcuts
from lepton.checks._traits import traits
from lepton.core.types import Record

CLASSES = ("a", "b", "c")
EACH = 40


def found(records):
    return shortcuts.find(records, traits=traits(records))


@pytest.fixture
def pictures(picture):
    """Records of noisy pictures in three classes, the records of "b" being changed by `change`."""

    def make(change=lambda pixels: pixels, share=1.0, **options):
        random = np.random.default_rng(0)
        records = []
        for at in range(len(CLASSES) * EACH):
            label = CLASSES[at % len(CLASSES)]
            pixels = random.integers(0, 256, (8, 8, 3)).repeat(6, axis=0).repeat(6, axis=1)
            marked = label == "b" and at < share * len(CLASSES) * EACH
            records.append(Record(f"{at}.png", picture(change(pixels) if marked else pixels, **options), label))
        return records

    return make


def marked(pixels):
    pixels = pixels.copy()
    pixels[-5:-2, 2:5] = (230, 20, 90)
    return pixels


def test_a_small_mark_is_found_and_shown_where_it_is(pictures):
    [finding] = found(pictures(marked))
    assert (finding.severity, finding.evidence["kind"], finding.evidence["of"]) == ("warning", "map", "b")
    assert {suspect.given for suspect in finding.records} == {"b"}
    rows = np.array([[int(tenths) for tenths in row] for row in finding.evidence["rows"]])
    lines, columns = np.nonzero(rows >= 8)
    assert set(lines / 32) <= {28 / 32, 29 / 32, 30 / 32}
    assert set(columns / 32) <= {1 / 32, 2 / 32, 3 / 32}
    assert "bottom left" in finding.message
    assert "100 % of them have it, and 0 % of the others" in finding.message


def test_a_mark_on_most_of_a_class_is_found_too(pictures):
    [finding] = found(pictures(marked, share=0.8))
    assert finding.evidence["of"] == "b"


def test_pictures_without_a_shortcut_raise_no_alarm(pictures):
    assert found(pictures()) == []


def test_brightness_may_be_what_the_class_is_about(pictures):
    [finding] = found(pictures(lambda pixels: pixels // 8))
    assert (finding.severity, finding.evidence["kind"]) == ("info", "histogram")


def test_a_mark_is_the_mark_also_where_it_is_all_the_colour_there_is(picture):
    random = np.random.default_rng(0)
    records = []
    for at in range(120):
        pixels = random.integers(0, 256, (28, 28, 1)).repeat(3, axis=2)
        records.append(Record(f"{at}.png", picture(marked(pixels) if at % 3 == 1 else pixels), CLASSES[at % 3]))
    [finding] = found(records)
    assert (finding.severity, finding.evidence["kind"]) == ("warning", "map")


def test_a_file_type_that_tells_the_class(pictures):
    records = pictures()
    others = iter(pictures(kind="BMP"))
    records = [other if other.label == "c" else record for record, other in zip(records, others, strict=True)]
    [finding] = found(records)
    assert finding.severity == "warning"
    assert "the file type" in finding.message


def test_a_class_that_others_look_like_is_not_told_by_what_they_share(pictures):
    assert found([Record(one.id, one.raw, "b" if one.label == "a" else one.label) for one in pictures()]) == []


def tone(random, label, *, hum):
    time = np.arange(4000) / 8000
    sound = np.sin(2 * np.pi * random.uniform(300, 900) * time) * np.hanning(4000) * random.uniform(0.1, 0.5)
    sound += random.normal(0, 0.003, 4000)
    if hum and label == "b":
        sound += 0.01 * np.sin(2 * np.pi * 50 * time + random.uniform(0, 6))
    stream = io.BytesIO()
    soundfile.write(stream, sound, 8000, format="WAV")
    return stream.getvalue()


@pytest.mark.parametrize("hum", [True, False])
def test_a_hum_is_found_at_its_frequency(hum):
    random = np.random.default_rng(0)
    labels = [CLASSES[at % len(CLASSES)] for at in range(len(CLASSES) * EACH)]
    records = [Record(f"{at}.wav", tone(random, label, hum=hum), label) for at, label in enumerate(labels)]
    findings = found(records)
    assert [finding.evidence["of"] for finding in findings] == ["b"] * hum
    for finding in findings:
        low, high = _sound_traits.edges()[finding.evidence["band"] :][:2]
        assert low <= 50 <= high
        assert finding.evidence["own"][finding.evidence["band"]] > finding.evidence["others"][finding.evidence["band"]]


def test_a_length_that_tells_a_class_of_texts_is_no_more_than_an_info(texts):
    random = np.random.default_rng(0)
    items = []
    for at in range(120):
        label = CLASSES[at % 3]
        items.append((" ".join(["word"] * int(random.integers(3, 9) + 30 * (label == "b"))), label))
    [finding] = found(texts(*items))
    assert (finding.severity, finding.evidence["of"], finding.evidence["kind"]) == ("info", "b", "histogram")
    assert sum(finding.evidence["own"]) == pytest.approx(1, abs=0.01)


def test_records_that_are_not_of_classes_are_left_alone(texts):
    assert found(texts(*[("word " * at, None) for at in range(50)])) == []

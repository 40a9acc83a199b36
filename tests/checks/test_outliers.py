import io

import numpy as np
import soundfile

from lepton.checks import outliers
from lepton.checks._traits import traits
from lepton.core.types import Record


def found(records):
    return outliers.find(records, traits=traits(records))


def smooth(random, picture):
    across, down = np.meshgrid(np.arange(32), np.arange(32))
    tilt = random.normal(0, 2, 2)
    return picture(
        np.clip(120 + tilt[0] * (across - 16) + tilt[1] * (down - 16) + random.normal(0, 5, (32, 32)), 0, 255)
    )


def test_a_picture_unlike_all_others_comes_first(picture):
    random = np.random.default_rng(0)
    records = [Record(str(at), smooth(random, picture), "a") for at in range(300)]
    assert found(records) == []
    stripes = np.where(np.arange(32)[:, None] // 4 % 2, 255, 0) * np.ones((1, 32))
    [finding] = found([*records, Record("odd", picture(stripes), "a")])
    assert finding.severity == "info"
    assert finding.message == "1 picture is unlike all the others."
    assert [(suspect.id, suspect.given) for suspect in finding.records] == [("odd", "a")]
    assert 0.5 < finding.records[0].score < 1


def test_a_recording_unlike_all_others():
    random = np.random.default_rng(0)

    def record(name, sound):
        stream = io.BytesIO()
        soundfile.write(stream, sound, 8000, format="WAV")
        return Record(name, stream.getvalue(), "a")

    time = np.arange(4000) / 8000
    tones = [np.sin(2 * np.pi * random.uniform(200, 400) * time) * random.uniform(0.2, 0.3) for _ in range(200)]
    records = [record(str(at), sound + random.normal(0, 0.01, 4000)) for at, sound in enumerate(tones)]
    assert found(records) == []
    [finding] = found([*records, record("odd", random.normal(0, 0.2, 4000))])
    assert [suspect.id for suspect in finding.records] == ["odd"]


def test_a_text_in_another_language_comes_first(texts):
    random = np.random.default_rng(0)
    words = [
        "where",
        "is",
        "my",
        "card",
        "and",
        "what",
        "does",
        "it",
        "cost",
        "to",
        "send",
        "money",
        "from",
        "the",
        "bank",
    ]
    plain = [(" ".join(random.choice(words, 9)), "a") for _ in range(300)]
    assert found(texts(*plain)) == []
    [finding] = found(texts(*plain, ("warum wurde meine \u00fcberweisung nicht ausgef\u00fchrt", "a")))
    assert [suspect.id for suspect in finding.records] == ["300"]


def test_a_tenth_in_another_language_is_no_outlier(texts):
    words = ["where", "is", "my", "card", "and", "what", "does", "it", "cost"]
    other = ["\u0433\u0434\u0435", "\u043c\u043e\u044f", "\u043a\u0430\u0440\u0442\u0430"]
    random = np.random.default_rng(0)
    mixed = [(" ".join(random.choice(other if at % 10 == 0 else words, 9)), "a") for at in range(300)]
    assert found(texts(*mixed)) == []


def test_few_records_tell_nothing(texts):
    assert found(texts(*[(f"text {at}", "a") for at in range(20)], ("\u0436\u0448\u0449", "a"))) == []

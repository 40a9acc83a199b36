import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from lepton.checks import imbalance, transcript_lengths
from lepton.core.types import Record


def flac(seconds, rate=8000):
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(int(seconds * rate), np.float32), rate, format="FLAC")
    return stream.getvalue()


def spoken(count=12):
    """Recordings of 3 to 8 s in which 15 characters a second are said."""
    lengths = [3 + at % 6 for at in range(count)]
    return [Record(str(at), flac(n), (f"{at:02} and so on " * 20)[: n * 15]) for at, n in enumerate(lengths)]


def test_transcripts_that_fit_are_not_named():
    assert transcript_lengths.find(spoken()) == []


def test_cut_and_foreign_transcripts_are_named(tmp_path):
    records = spoken()
    records[2] = replace(records[2], label=str(records[2].label)[:12])
    records[5] = replace(records[5], label=str(records[5].label) * 3)
    (tmp_path / "7.flac").write_bytes(records[7].raw)
    records[7] = replace(records[7], raw=tmp_path / "7.flac", label="oh no")
    [finding] = transcript_lengths.find(records)
    assert {suspect.id for suspect in finding.records} == {"2", "5", "7"}
    assert (
        finding.message == "3 transcripts do not fit the length of the recording; 15.0 characters a second are usual."
    )
    assert "(5 characters in 4.0 s)" in next(suspect for suspect in finding.records if suspect.id == "7").given
    scores = [suspect.score for suspect in finding.records]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_short_answers_may_have_silence_around_them():
    records = [*spoken(), Record("short", flac(1.4), "well then")]
    assert transcript_lengths.find(records) == []


@pytest.mark.parametrize("raw", [b"", b"no sound at all", b"RIFF"])
def test_what_is_no_recording_is_passed_over(raw, tmp_path):
    (tmp_path / "x.wav").write_bytes(raw)
    odd = [Record("a", raw, "some words here"), Record("b", tmp_path / "x.wav", "some other words")]
    assert transcript_lengths.find([*spoken(), *odd, Record("c", tmp_path / "gone.wav", "gone with it")]) == []


def test_classes_are_no_transcripts():
    records = [Record(str(at), flac(1 + at % 3), ["yes", "no"][at % 2]) for at in range(12)]
    assert transcript_lengths.find(records) == []
    assert transcript_lengths.find(spoken(9)) == []


def test_transcripts_are_no_classes():
    assert imbalance.find(spoken()) == []


def test_ljspeech32(real):
    from lepton.formats import audio_manifest

    records = list(audio_manifest.read(real("ljspeech32")).records)
    assert transcript_lengths.find(records) == []
    order = sorted(range(len(records)), key=lambda at: len(str(records[at].label)))
    short, long = order[0], order[-1]
    swapped = {short: records[long].label, long: records[short].label}
    mixed = [replace(record, label=swapped.get(at, record.label)) for at, record in enumerate(records)]
    [finding] = transcript_lengths.find(mixed)
    assert {suspect.id for suspect in finding.records} == {records[short].id, records[long].id}

"""Log-mel features against the definition written out slowly; recordings of every kind; broken ones."""

import io
import math
import struct
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.core.errors import BadInput, UserError
from lepton.transforms import logmel


def wav(signal, rate=8000, kind="WAV", **options):
    stream = io.BytesIO()
    soundfile.write(stream, np.asarray(signal), rate, format=kind, **options)
    return stream.getvalue()


def tone(seconds=0.5, hertz=440.0, *, rate=8000, loud=0.3):
    return loud * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def fitted(raws, **settings):
    made = logmel.fit(raws, **settings)
    return made, logmel.encoder(made.settings, made.files)


def slow_log_mel(signal, rate, *, width, hop, mels, low):
    """The definition: a DFT by its sum, triangles one by one."""
    points = 1 << math.ceil(math.log2(width))
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / width) for n in range(width)]
    to_mel = lambda f: 2595 * math.log10(1 + f / 700)  # noqa: E731
    to_hertz = lambda m: 700 * (10 ** (m / 2595) - 1)  # noqa: E731
    bottom, top = to_mel(low), to_mel(rate / 2)
    edges = [to_hertz(bottom + (top - bottom) * k / (mels + 1)) for k in range(mels + 2)]
    out = []
    for start in range(0, len(signal) - width + 1, hop):
        frame = np.array([signal[start + n] * window[n] for n in range(width)])
        turns = np.exp(-2j * np.pi * np.outer(np.arange(points // 2 + 1), np.arange(width)) / points)
        power = np.abs(turns @ frame) ** 2
        row = []
        for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for k, value in enumerate(power):
                f = k * rate / points
                up, down = (f - left) / (centre - left), (right - f) / (right - centre)
                total += value * max(0.0, min(up, down))
            row.append(math.log(total + 1e-6))
        out.append(row)
    return np.array(out)


def test_features_are_those_of_the_definition():
    signal = np.random.default_rng(0).normal(0, 0.1, 2000).astype(np.float32)
    raw = wav(signal, subtype="FLOAT")
    _, encode = fitted([raw], mels=12, window_ms=20, hop_ms=10, level="none", low_hz=50)
    expected = slow_log_mel(signal, 8000, width=160, hop=80, mels=12, low=50)
    found = encode(raw)["features"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_every_band_sees_something():
    assert (logmel.filterbank(8000, 128, (64, 20.0)).max(1) > 0).all()


def test_fit_takes_the_usual_rate_and_nearly_the_longest_length():
    raws = [wav(tone(0.3))] * 5 + [wav(tone(0.6, rate=16000), 16000)] * 2
    made, _ = fitted(raws)
    assert made.settings["rate"] == 8000
    assert made.settings["seconds"] == 0.6
    assert fitted([wav(tone(0.2, rate=44100), 44100)])[0].settings["rate"] == 16000


def test_all_recordings_give_the_same_shape():
    made, encode = fitted([wav(tone(0.4))])
    shapes = {encode(wav(tone(seconds)))["features"].shape for seconds in (0.01, 0.2, 0.4, 3.0)}
    assert len(shapes) == 1
    batch = logmel.collate([encode(wav(tone(0.4)))] * 2)
    assert batch["features"].shape == (2, *shapes.pop())


def test_short_recordings_stand_in_the_middle_and_of_long_ones_the_middle_is_taken():
    _, encode = fitted([wav(tone(0.5))], level="none")
    frames = encode(wav(tone(0.1)))["features"].max(1)
    assert frames[0] < -10
    assert frames[-1] < -10
    assert frames[len(frames) // 2] > 0
    long = np.concatenate([np.zeros(4000), tone(0.5), np.zeros(4000)])
    np.testing.assert_allclose(encode(wav(long))["features"], encode(wav(tone(0.5)))["features"], atol=1e-3)


@pytest.mark.parametrize("level", ["rms", "peak"])
def test_loudness_does_not_matter_after_levelling(level):
    raw, quiet = wav(tone(), subtype="FLOAT"), wav(tone(loud=0.01), subtype="FLOAT")
    _, encode = fitted([raw], level=level)
    np.testing.assert_allclose(encode(raw)["features"], encode(quiet)["features"], atol=1e-3)


def test_bands_take_each_mean_away():
    raw = wav(np.random.default_rng(1).normal(0, 0.1, 4000))
    _, encode = fitted([raw], level="bands")
    np.testing.assert_allclose(encode(raw)["features"].mean(0), 0, atol=1e-4)


def test_trimming_cuts_what_is_quiet_at_the_ends():
    raw = wav(np.concatenate([np.zeros(2000), tone(0.25), np.zeros(3000)]))
    assert fitted([raw], trim_db=40)[0].settings["seconds"] == pytest.approx(0.25, abs=0.02)
    assert np.isfinite(fitted([raw], trim_db=40)[1](wav(np.zeros(800)))["features"]).all()


def test_another_rate_gives_nearly_the_same_features():
    low, high = wav(tone(0.5, rate=8000), 8000), wav(tone(0.5, rate=22050), 22050)
    _, encode = fitted([low])
    loud = encode(low)["features"] > 0
    np.testing.assert_allclose(encode(low)["features"][loud], encode(high)["features"][loud], atol=0.1)


def test_channels_are_averaged():
    left, right = tone(hertz=300), tone(hertz=1200)
    _, encode = fitted([wav(left)], level="none")
    both = encode(wav(np.stack([left, right], 1), subtype="FLOAT"))["features"]
    np.testing.assert_allclose(both, encode(wav((left + right) / 2, subtype="FLOAT"))["features"], atol=1e-3)


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "AIFF", "MP3"])
def test_other_formats_are_read(kind):
    raw = wav(tone(rate=16000), 16000, kind)
    signal, rate = logmel.decode(raw)
    assert rate == 16000
    assert abs(len(signal) - 8000) < 3000


def lying(frames, rate=8000, channels=1):
    size = (frames * 2 * channels) & 0xFFFFFFFF
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", size, b"WAVE", b"fmt ", 16, 1, channels, rate, 2 * rate, 2 * channels, 16
    )
    return head + struct.pack("<4sI", b"data", size) + bytes(64)


@pytest.mark.parametrize("raw", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVE", "text", b"\x00" * 100, wav([])])
def test_what_is_no_recording_is_bad_input(raw):
    with pytest.raises(BadInput) as refused:
        logmel.decode(raw)
    assert "object at 0x" not in refused.value.message


@pytest.mark.parametrize("more", [{"rate": 999}, {"rate": 10_000_000}, {"channels": 200}])
def test_a_header_that_lies_is_refused(more):
    with pytest.raises(BadInput):
        logmel.decode(lying(10, **more))


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_recording_from_a_pipe_has_the_length_of_what_came(size):
    whole = wav(tone())
    piped = whole[:4] + struct.pack("<I", size) + whole[8:]
    place = piped.index(b"data") + 4
    piped = piped[:place] + struct.pack("<I", size) + piped[place + 4 :]
    for raw in (piped, b"ID3\x03\x00\x00\x00\x00\x00\x00" + piped):
        np.testing.assert_array_equal(logmel.decode(raw)[0], logmel.decode(whole)[0])


@pytest.mark.parametrize("frames", [2**31 - 1, 2_000_000_000, 50_000_000])
def test_a_header_that_claims_gigabytes_is_refused(frames):
    with pytest.raises(BadInput, match="claims more than there is"):
        logmel.decode(lying(frames))


def test_headers_of_other_formats_claim_gigabytes_in_vain(capfd):
    form = wav(tone(), kind="AIFF").replace(b"SSND", b"SSND\xff\xff\xff\xff")
    for size in (2**63 - 1, 2**64 - 1):
        ds64 = b"ds64" + struct.pack("<IQQQI", 28, size, size, size, 0)
        for raw in (form, lying(10).replace(b"RIFF", b"RF64").replace(b"WAVE", b"WAVE" + ds64)):
            with pytest.raises(BadInput, match="claims more than there is"):
                logmel.decode(raw)
    assert not capfd.readouterr().err


@pytest.mark.parametrize("place", [-5, 2, 2**70])
def test_any_place_in_a_recording_can_be_gone_to(place):
    assert logmel._Stream(b"abc").seek(place) == min(max(0, place), sys.maxsize)


def test_a_header_that_claims_a_little_too_much_is_read_as_far_as_it_goes():
    assert len(logmel.decode(lying(50))[0]) == 32


def test_tags_before_a_recording_are_passed_over():
    tag = b"ID3\x03\0\0\0\0\x01\x05" + bytes(133)
    for kind in ("MP3", "FLAC"):
        raw = wav(tone(rate=16000), 16000, kind)
        np.testing.assert_array_equal(logmel.decode(tag + tag + raw)[0], logmel.decode(raw)[0])


@pytest.mark.parametrize("tags", [b"", b"ID3\x03\0\0\0\0\0\0", b"ID3\x03\0\0\0\0\0\0" * 9])
def test_a_format_that_the_library_searches_without_end_never_reaches_it(tags):
    with pytest.raises(BadInput, match="unknown format"):
        logmel.decode(tags + b"FORM\0\x10\0\0" + b"8SVX" + b"ANNO\0\0\0\0" * 100_000)


def test_limits_are_kept():
    with pytest.raises(BadInput, match="too long"):
        logmel.decode(wav(np.zeros(16000)), max_seconds=1)
    with pytest.raises(BadInput, match="rate is out of range"):
        logmel.decode(lying(10, rate=500))
    with pytest.raises(BadInput, match="channels"):
        logmel.decode(wav(np.zeros((100, 17))))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_samples_that_are_no_numbers_are_bad_input(value):
    with pytest.raises(BadInput, match="finite"):
        logmel.decode(wav([0.0, value, 0.0], subtype="FLOAT"))


def test_fit_passes_over_broken_recordings_unless_all_are():
    assert fitted([b"broken", wav(tone())])[0].settings["rate"] == 8000
    with pytest.raises(UserError, match="None of the training recordings"):
        logmel.fit([b"broken"])


GOOD = {kind: wav(tone(0.05, rate=16000), 16000, kind) for kind in ("WAV", "FLAC", "OGG", "AIFF")}
ENCODE = fitted([GOOD["WAV"]])[1]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_bytes_give_features_or_bad_input(kind, data):
    raw = bytearray(GOOD[kind][: data.draw(st.integers(1, len(GOOD[kind])))])
    for _ in range(data.draw(st.integers(0, 6))):
        raw[data.draw(st.integers(0, min(len(raw), 100) - 1))] = data.draw(st.integers(0, 255))
    try:
        features = ENCODE(bytes(raw))["features"]
    except BadInput:
        return
    assert np.isfinite(features).all()

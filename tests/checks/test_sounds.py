import io

import numpy as np
import pytest
import soundfile

from lepton.checks import _sounds
from lepton.core.progress import Silent
from lepton.core.types import Record

RATE = 16_000


def word(seed, rate=RATE, seconds=0.8):
    """Something like a word: some syllables, each a buzz below 1,500 Hz through a resonance of its own."""
    dice = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    made = np.zeros(len(time))
    for start in np.linspace(0.05, seconds - 0.2, 4):
        pitch, peak = dice.uniform(90, 200), dice.uniform(300, 1200)
        rise = np.exp(-(((time - start - 0.07) / 0.04) ** 2))
        glide = 2 * np.pi * pitch * (time + dice.uniform(-0.2, 0.2) * time**2)
        harmonics = range(1, int(1500 / pitch))
        loud = {at: np.exp(-(((at * pitch - peak) / 200) ** 2)) for at in harmonics}
        made += rise * sum(loud[at] * np.sin(at * glide + dice.uniform(0, 6)) for at in harmonics)
    return 0.3 * made / np.abs(made).max()


def stored(samples, rate=RATE, kind="WAV", **options):
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(samples, -1, 1), rate, format=kind, **options)
    return stream.getvalue()


def noisy(samples, decibels):
    noise = np.random.default_rng(9).normal(size=len(samples))
    return samples + noise * np.sqrt((samples**2).mean()) * 10 ** (-decibels / 20)


CHANGES = {
    "softer": lambda seed: stored(word(seed) * 0.2),
    "louder and inverted": lambda seed: stored(word(seed) * -3),
    "noise at 20 dB": lambda seed: stored(noisy(word(seed), 20)),
    "noise at 10 dB": lambda seed: stored(noisy(word(seed), 10)),
    "silence before": lambda seed: stored(np.r_[np.zeros(1601), word(seed)]),
    "cut at both ends": lambda seed: stored(word(seed)[1000:-700]),
    "an offset": lambda seed: stored(word(seed) + 0.1),
    "8 kHz": lambda seed: stored(word(seed, 8_000), 8_000),
    "44.1 kHz": lambda seed: stored(word(seed, 44_100), 44_100),
    "6 kHz": lambda seed: stored(word(seed, 6_000), 6_000),
    "compressed": lambda seed: stored(word(seed), kind="OGG"),
    "two channels": lambda seed: stored(np.stack([word(seed), 0.5 * word(seed)], axis=1)),
}


def pairs(raws):
    sketches = [_sounds.sketch(raw) for raw in raws]
    records = [Record(str(at), raw, None) for at, raw in enumerate(raws)]
    return {tuple(sorted(pair[:2])): pair[2] for pair in _sounds.pairs(records, sketches, Silent())}


def test_changed_copies_are_found_and_nothing_else():
    found = pairs([*(stored(word(seed)) for seed in range(40)), *(CHANGES[n](at) for at, n in enumerate(CHANGES))])
    assert set(found) == {(at, 40 + at) for at in range(len(CHANGES))}
    assert min(found.values()) >= _sounds.LEAST


def test_the_correlation_of_a_recording_with_itself_is_one():
    made = _sounds.waveform(stored(word(0)))
    assert _sounds.correlation(made, made) == pytest.approx(1, abs=1e-4)


def test_noise_lowers_the_correlation_as_it_should():
    # Of white noise at 10 dB a share of 7120/8000 lies in the band that is compared.
    clean, noise = _sounds.waveform(stored(word(0))), _sounds.waveform(stored(noisy(word(0), 10)))
    assert _sounds.correlation(clean, noise) == pytest.approx(1 / np.sqrt(1 + 0.1 * 7120 / 8000), abs=0.01)


def test_the_hum_of_one_engine_is_not_one_recording():
    time = np.arange(2 * RATE) / RATE

    def hum(seed):
        phase = np.random.default_rng(seed).uniform(0, 6)
        tones = sum(np.sin(at * (2 * np.pi * 120 * time + phase)) / at for at in range(1, 8))
        return 0.1 * (tones + 0.1 * np.random.default_rng(seed).normal(size=len(time)))

    one, other, copy = (_sounds.waveform(stored(made)) for made in (hum(0), hum(1), noisy(hum(0), 15)))
    assert _sounds.correlation(one, other) == 0
    assert _sounds.correlation(one, copy) > 0.95


def test_a_waveform_keeps_its_place_at_any_rate():
    waveforms = [_sounds.waveform(stored(word(0, rate), rate)) for rate in (8_000, 11_025, 16_000, 22_050, 44_100)]
    assert [ceiling for _, ceiling in waveforms] == [3600, 3600, 7200, 7200, 7200]
    shortest = min(len(samples) for samples, _ in waveforms)
    rows = np.stack([samples[:shortest] for samples, _ in waveforms])
    assert np.corrcoef(rows).min() > 0.999


def test_what_has_no_sketch():
    silent, slow = stored(np.zeros(4000)), stored(word(0, 3_000), 3_000)
    assert [_sounds.sketch(raw) for raw in (silent, slow, stored(np.zeros(0)), b"noise")] == [None] * 4


def test_very_short_ones_raise_nothing():
    clicks = [stored(np.r_[0.5, np.zeros(count)]) for count in (0, 1, 2, 30)]
    assert len(pairs([raw for raw in clicks if _sounds.sketch(raw)])) <= 6


def test_spoken_digits_are_all_different(real):
    paths = sorted(real("spoken-digits").glob("recordings/*_theo_*.wav"))[:120]
    assert pairs([path.read_bytes() for path in paths]) == {}

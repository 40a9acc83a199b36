from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import Faults, UserError
from lepton.core.progress import Silent
from lepton.runtime.app import App
from lepton.streams import _recording, _tune, _tuning_page
from lepton.streams._detector import Detector, Hit, Listening, listening
from lepton.streams._recording import Event, Heard
from lepton.streams._tune import Tried, Truth, Tuning

START = Listening(rate=8000, window_ms=400.0, hop_ms=100.0, ignore=("noise",))
NAMES = ["a", "b", "noise"]


def heard(rows: np.ndarray, levels: Any = -20.0) -> Heard:
    ends = 0.4 + 0.1 * np.arange(len(rows))
    return Heard(NAMES, rows, np.full(len(rows), levels, float), ends, float(ends[-1]))


def scene(seconds: float, *, blips: int = 4, seed: int = 0) -> tuple[Heard, list[Event]]:
    """Clear events every 3 s, and `blips` single windows that look like one."""
    random = np.random.default_rng(seed)
    rows = np.tile([0.1, 0.1, 0.8], (round(10 * seconds), 1))
    events = []
    for start in np.arange(2, seconds - 2, 3.0):
        label = int(random.integers(2))
        events.append(Event(NAMES[label], float(start), float(start) + 0.5))
        place = round(10 * (start + 0.2 - 0.4))
        rows[place : place + 5] = np.eye(3)[label] * 0.85 + 0.05
        if len(events) % max(1, int(seconds / 3 / blips)) == 0:
            rows[place + 24] = [0.95, 0.05, 0.0]
    return heard(rows), events


@pytest.fixture(scope="module")
def tuned() -> tuple[Heard, Truth, Tuning]:
    """Five minutes, tuned to at most one false accept an hour."""
    sound, events = scene(300)
    known = _tune.truth(events, sound.seconds, 0.3)
    return sound, known, _tune.tune(sound, known, START, limit=1.0, progress=Silent())


def test_events_are_found_by_their_label_and_time_and_once() -> None:
    sound = heard(np.zeros((60, 3)))
    known = Truth([Event("a", 1.0, 1.5), Event("b", 3.0, 3.5), Event("a", 5.0, 5.5)], 0.3, 3.0, (1.0, 1.0))
    times = {"early": (0.9, "a"), "right": (1.7, "a"), "again": (1.6, "a"), "other": (3.2, "a"), "late": (5.9, "a")}
    hits = {name: Hit(round(10 * (time - 0.4)), label, 1.0) for name, (time, label) in times.items()}
    found = _tune.match([hits["early"], hits["right"], hits["other"], hits["late"]], sound, known)
    assert found.missed.tolist() == [False, True, True]
    assert found.false == [hits["early"], hits["other"], hits["late"]]
    assert found.delays == pytest.approx([0.2])
    assert _tune.match([hits["again"], hits["right"]], sound, known).false == [hits["right"]]


@given(
    events=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 15)), max_size=8),
    times=st.lists(st.tuples(st.integers(0, 55), st.sampled_from("ab")), max_size=12),
)
def test_matching_is_that_of_the_definition(events: Any, times: Any) -> None:
    sound = heard(np.zeros((60, 3)))
    made = sorted(
        (Event(name, start / 10, (start + long) / 10) for name, start, long in events), key=lambda one: one[1:]
    )
    known = Truth(made, 0.3, 3.0, (1.0, 1.0))
    hits = [Hit(place, label, 1.0) for place, label in sorted(times)]
    left = list(range(len(made)))
    false = []
    for hit in hits:
        time = float(sound.ends[hit.window])
        fits = [place for place in left if _fits(made[place], hit, time)]
        if fits:
            left.remove(fits[0])
        else:
            false.append(hit)
    found = _tune.match(hits, sound, known)
    assert (np.flatnonzero(found.missed).tolist(), found.false) == (left, false)


def _fits(event: Event, hit: Hit, time: float) -> bool:
    return event.label == hit.label and event.start <= time and event.end >= time - 0.3


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_intervals_of_counts_are_those_of_the_tables(count: int, low: float, high: float) -> None:
    assert _tune.poisson(count) == (pytest.approx(low, rel=1e-3, abs=1e-9), pytest.approx(high, rel=1e-3))


def test_the_choice_misses_least_within_the_limit_and_has_room(tuned: tuple[Heard, Truth, Tuning]) -> None:
    tuning = tuned[2]
    best = tuning.best
    assert best is not None
    assert (sum(best.missed), sum(best.false)) == (0, 0)
    assert best.chosen.smoothing > 1, "what looks like an event for one window is averaged away"
    for step in (-0.04, 0.04):
        near = next(
            one
            for one in tuning.tried
            if one.chosen == replace(best.chosen, threshold=round(best.chosen.threshold + step, 2))
        )
        assert (near.missed, near.false) == (best.missed, best.false)
    assert tuning.held_out == (0, 0)


def test_what_was_tuned_is_what_runs(tuned: tuple[Heard, Truth, Tuning]) -> None:
    sound, known, tuning = tuned
    for one in tuning.tried[::701]:
        rows = np.where((sound.levels >= one.chosen.silence_db)[:, None], sound.rows, 0)
        detector = Detector(NAMES, one.chosen)
        hits = [hit for start in range(0, len(rows), 7) for hit in detector.feed(rows[start : start + 7])]
        found = _tune.match(hits, sound, known)
        assert (int(found.missed.sum()), len(found.false)) == (sum(one.missed), sum(one.false))


def made(missed: tuple[int, int], false: tuple[int, int], threshold: float) -> Tried:
    return Tried(replace(START, threshold=threshold), missed, false)


def test_figures_of_a_half_are_those_of_the_other_halfs_choice() -> None:
    known = Truth([Event("a", 1, 2), Event("a", 5000, 5001)], 0.3, 3600.0, (1.0, 1.0))
    tried = [made((0, 7), (1, 9), 0.5), made((3, 1), (8, 0), 0.6), made((9, 9), (0, 0), 0.8)]
    assert _tune._held_out(tried, known, 1.0) == (7 + 3, 9 + 8)
    assert _tune._held_out(tried, replace(known, events=known.events[:1]), 1.0) is None


def test_no_setting_within_the_limit_is_said() -> None:
    tried = [made((0, 0), (5, 5), 0.5), made((1, 1), (4, 4), 0.6)]
    assert _tune.choose(tried, (0, 1), 7.9) is None
    assert _tune.choose(tried, (0, 1), 8.0) == tried[1]


def test_equals_are_decided_by_fewest_false_accepts_and_then_by_room() -> None:
    tried = [
        *(made((0, 0), (1, 0), 0.4), made((0, 0), (0, 0), 0.5), made((1, 0), (0, 0), 0.52)),
        *(made((0, 0), (0, 0), 0.7), made((0, 0), (0, 0), 0.72), made((0, 0), (0, 0), 0.74)),
    ]
    assert _tune.choose(tried, (0, 1), 5.0) == tried[4]


def test_a_quiet_stretch_is_told_by_its_level() -> None:
    rows = np.tile([0.9, 0.1, 0.0], (50, 1))
    sound = Heard(NAMES, rows, np.repeat([-65.0, -30.0], 25), 0.4 + 0.1 * np.arange(50), 5.3)
    assert [hit.window for hit in _tune.detect(sound, replace(START, silence_db=-70.0, smoothing=1))] == [0]
    assert [hit.window for hit in _tune.detect(sound, replace(START, silence_db=-60.0, smoothing=1))] == [25]


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 8)), max_size=8))
def test_the_cut_lies_in_no_event(pairs: list[tuple[int, int]]) -> None:
    events, free = [], 0.0
    for gap, long in pairs:
        events.append(Event("a", free + gap / 10, free + (gap + long) / 10))
        free = events[-1].end + 0.31
    seconds = free + 5
    known = _tune.truth(events, seconds, 0.3)
    assert not any(one.start < known.cut < one.end + 0.3 for one in events)
    assert sum(known.hours) * 3600 == pytest.approx(seconds)
    assert sum(known.counts) == len(events)
    assert abs(known.cut - seconds / 2) <= 0.6


def test_a_recording_is_heard_window_by_window(audio_app: App, tmp_path: Path) -> None:
    samples = (np.sin(np.arange(20_000) * 0.3) * np.repeat([9000, 1, 5000, 0], 5000)).astype(np.int16)
    soundfile.write(tmp_path / "long.flac", samples, 8000, subtype="PCM_16")
    chosen = listening({"hop_ms": 100}, audio_app)
    found = _recording.hear(audio_app, tmp_path / "long.flac", chosen, progress=Silent())
    assert found.seconds == _recording.duration(tmp_path / "long.flac") == 2.5
    assert found.ends.tolist() == pytest.approx([0.25 + 0.1 * step for step in range(23)])
    for place, (row, level) in enumerate(zip(found.rows, found.levels, strict=True)):
        stretch = samples[place * 800 : place * 800 + 2000]
        if level < -60:
            assert not row.any()
        else:
            answer = {item["label"]: item["score"] for item in audio_app.predict(_wav(stretch))}
            assert row == pytest.approx([answer[name] for name in found.classes], abs=1e-5)
    assert 5 < np.count_nonzero(found.levels < -60) < 23


def _wav(samples: np.ndarray) -> bytes:
    from lepton.streams._sound import wav

    return wav(samples, 8000)


def test_channels_are_averaged_and_other_rates_kept(audio_app: App, tmp_path: Path) -> None:
    tone = np.sin(np.arange(22_050) * 0.2).astype(np.float32) * 0.3
    soundfile.write(tmp_path / "two.wav", np.stack([tone, np.zeros_like(tone)], 1), 22_050, subtype="PCM_24")
    found = _recording.hear(audio_app, tmp_path / "two.wav", listening({}, audio_app), progress=Silent())
    assert len(found.ends) == 16
    assert found.levels[0] == pytest.approx(20 * np.log10(0.15 / np.sqrt(2)), abs=0.1)


def test_recordings_that_are_none_or_too_short_are_told(audio_app: App, tmp_path: Path) -> None:
    (tmp_path / "none.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match="cannot be read as a recording"):
        _recording.duration(tmp_path / "none.wav")
    soundfile.write(tmp_path / "short.wav", np.zeros(100, np.int16), 8000)
    with pytest.raises(UserError, match="shorter than one window"):
        _recording.hear(audio_app, tmp_path / "short.wav", listening({}, audio_app), progress=Silent())


@pytest.mark.parametrize("separator", [",", "\t", ", "])
def test_events_are_read_in_order(tmp_path: Path, separator: str) -> None:
    lines = [("end", "label", "start", "note"), ("5", "b", "4.5", "x"), ("1.25", "a", "0", "")]
    (tmp_path / "e.csv").write_text(
        "\ufeff" + "\n".join(separator.join(line) for line in lines) + "\n", encoding="utf-8"
    )
    assert _recording.events(tmp_path / "e.csv", ["a", "b"], 10.0) == [Event("a", 0.0, 1.25), Event("b", 4.5, 5.0)]


def test_every_fault_of_the_events_is_told(tmp_path: Path) -> None:
    rows = "label,start,end\na,1,2\nc,1,2\na,2,1\na,x,2\na,-1,2\na,1,99\na,1\na,nan,2\n"
    (tmp_path / "e.csv").write_text(rows)
    with pytest.raises(Faults) as caught:
        _recording.events(tmp_path / "e.csv", ["a", "b"], 10.0)
    assert len(caught.value.faults) == 7
    assert "line 3" in caught.value.message
    assert "Known: a, b" in caught.value.message


@pytest.mark.parametrize("text", ["", "a,1,2\n", "label,start\na,1\n", "label,start,end\n"])
def test_a_table_without_events_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(UserError, match="label"):
        _recording.events(tmp_path / "e.csv", ["a"], 10.0)
    with pytest.raises(UserError, match="cannot be read"):
        _recording.events(tmp_path / "absent.csv", ["a"], 10.0)


def told(tuned: tuple[Heard, Truth, Tuning]) -> dict[str, Any]:
    return {"recording": "<long>.wav", "name": "app", "limit": 1.0, **_tune.facts(*tuned)}


def test_the_page_tells_figures_intervals_and_mistakes(tuned: tuple[Heard, Truth, Tuning]) -> None:
    facts = told(tuned)
    facts["mistakes"] = [{"time": 3.0, "label": "<b>", "what": "missed"}]
    page = _tuning_page.page(facts)
    assert "&lt;long&gt;.wav: tuning of app" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http://www.w3.org", "")
    assert f"0 of {facts['fitted']['events']} events missed" in page
    assert "proves no more than fewer than 44 an hour" in page
    assert "each half counted with what was fitted to the other" in _tuning_page.headline(facts)


def test_facts_have_both_figures_and_a_first_frame(audio_app: App, tuned: tuple[Heard, Truth, Tuning]) -> None:
    facts = told(tuned)
    assert facts["kept"]
    assert facts["held_out"]["missed_share"]["high"] > facts["held_out"]["missed_share"]["value"]
    assert facts["fitted"]["false_per_hour"]["high"] == pytest.approx(3.689 / facts["fitted"]["hours"], rel=1e-3)
    assert facts["frontier"][0]["false_per_hour"] == 0
    frame = {**facts["settings"], "ignore": ["alpha"]}
    assert listening(frame, audio_app).threshold == facts["settings"]["threshold"]

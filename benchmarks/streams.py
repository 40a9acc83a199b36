"""Spoken digits in a stream: how soon each is told, what the processor does meanwhile, and how many streams it carries.

Usage: python benchmarks/streams.py [RUN]

Without RUN a small app is trained: digits anywhere in a window with noise, and windows of noise and halves of words,
labelled "background". Settings are fitted by `lepton tune-stream` to one recording of words that training has not
seen; a minute of others is streamed in real time over a WebSocket to `lepton serve`. Then ever more clients send that
minute's sound at one time, to a server that may use one core.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from _table import DATA, keep, markdown
from serving._server import Server, free_port, lepton, started
from websockets.asyncio.client import connect

from lepton.cli._output import Lines
from lepton.stages import _road

ROOT = Path(__file__).parents[1]
RUN = ROOT / "runs" / "benchmarks" / "streams"
RATE = 8000
WINDOW = 0.8
MINUTE = 60.0
CHUNK = 0.02
"""Seconds of sound in a frame, as a telephone sends it."""

STREAMS = (1, 8, 16, 32, 48, 64, 96, 128, 160, 192)
SECONDS = 10.0
"""How long many streams are sent at one time."""

SOON = 0.3
"""Streams are carried when 95 % of their events come within so many seconds of the end of their window."""

TRIES = 3
"""Times that a number of streams is tried before it counts as too many: other work may share the machine."""

LIMIT = 10
"""False accepts an hour that may be: ten minutes cannot show fewer than six but by showing none."""

_NOISE_DB = -55.0
_SETS = (
    'model={name="crnn",preset="tiny"}',
    "data.pattern={label}_{speaker}_{index}_{of}.wav",
    f'data.transform={{name="logmel",seconds={WINDOW},mels=32,window_ms=32.0,hop_ms=16.0}}',
    *("train.epochs=10", "train.batch=64", "train.threads=1", "compress.search=none"),
)

Word = tuple[str, float, float]
"""What was said, and from when to when in seconds."""


@dataclass(frozen=True)
class Scene:
    """Sound at 8 kHz, 16-bit, and the words in it."""

    samples: np.ndarray
    words: list[Word]


def main() -> None:
    """Train if need be, fit, stream, and keep what was measured."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else _train()
    frame = _fit(run)
    scene = next(_scenes(_words("012"), MINUTE, seed=2))
    with started(lepton([f"digits={run}"], port := free_port()), port) as server:
        live = asyncio.run(_live(server, scene, frame))
    print(markdown([live]), flush=True)
    many = [*_many(run, scene, frame)]
    print(markdown(many), flush=True)
    carried = max((row["streams"] for row in many if row["carried"] == "yes"), default=0)
    keep("streams", [{**live, "streams a core carries": carried}], many=many, settings=frame, load=os.getloadavg())


def _train() -> Path:
    """The run of a small app that knows the digits and the background."""
    clips = RUN / "clips"
    if not clips.is_dir():
        _make_clips(clips)
    sets = [f'data.source="{clips}"', *_SETS]
    return _road.run(ROOT / "recipes" / "spoken-digits.toml", out=RUN / "run", sets=sets, progress=Lines()).folder


def _make_clips(folder: Path) -> None:
    """Windows with a word anywhere in them, and for every second word one with noise or less than half a word."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    count = round(RATE * WINDOW)
    for path in sorted((DATA / "spoken-digits").rglob("*.wav")):
        label, speaker, index = path.stem.split("_")
        word, _ = soundfile.read(path)
        low, high = sorted((0, count - len(word)))
        _save(
            folder / f"{label}_{speaker}_{index}_{label}.wav", _placed(word, int(random.integers(low, high + 1)), count)
        )
        if int(index) % 2 == 0:
            part = int(len(word) * random.uniform(0.05, 0.5)) if random.random() < 0.75 else 0
            at = count - part if random.random() < 0.67 else part - len(word)
            kept = _placed(word, at, count) if part else np.zeros(count)
            _save(folder / f"background_{speaker}_{index}_{label}.wav", kept)


def _placed(word: np.ndarray, at: int, count: int) -> np.ndarray:
    out = np.zeros(count)
    first, last = max(0, at), min(count, at + len(word))
    out[first:last] = word[first - at : last - at]
    return out


def _save(path: Path, sound: np.ndarray) -> None:
    random = np.random.default_rng(len(path.name) + sum(path.name.encode()))
    noise = random.normal(0, 10 ** (random.uniform(-66, -46) / 20), len(sound))
    soundfile.write(path, np.clip(sound + noise, -1, 1), RATE, subtype="PCM_16")


def _words(indices: str) -> list[Path]:
    """Recordings of these indices, which the recipe keeps for its test, in any order."""
    found = [path for path in sorted((DATA / "spoken-digits").rglob("*.wav")) if path.stem.split("_")[2] in indices]
    return [found[place] for place in np.random.default_rng(1).permutation(len(found))]


def _scenes(words: Sequence[Path], seconds: float, *, seed: int) -> Iterator[Scene]:
    """Noise of so many seconds in which words stand, until there are no more words."""
    random = np.random.default_rng(seed)
    left = list(words)
    while left:
        samples = random.normal(0, 10 ** (_NOISE_DB / 20), round(seconds * RATE))
        said: list[Word] = []
        at = int(random.uniform(1, 3) * RATE)
        while left and at + 1.5 * RATE < len(samples):
            path = left.pop()
            word = soundfile.read(path)[0][: round(1.2 * RATE)]
            samples[at : at + len(word)] += word
            said.append((path.stem.split("_")[0], at / RATE, (at + len(word)) / RATE))
            at += len(word) + int(random.uniform(0.8, 3.5) * RATE)
        yield Scene(np.clip(samples * 32768, -32768, 32767).astype(np.int16), said)


def _fit(run: Path) -> dict[str, Any]:
    """The first frame that `lepton tune-stream` finds on ten minutes or less of words."""
    folder = RUN / "fitting"
    folder.mkdir(parents=True, exist_ok=True)
    scene = next(_scenes(_words("34"), 600.0, seed=1))
    soundfile.write(folder / "long.flac", scene.samples, RATE, subtype="PCM_16")
    rows = ["label,start,end", *(f"{name},{start},{end}" for name, start, end in scene.words)]
    (folder / "events.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    given = ["--recording", folder / "long.flac", "--events", folder / "events.csv", "--ignore", "background"]
    given += ["--max-false-per-hour", str(LIMIT)]
    command = [Path(sys.executable).with_name("lepton"), "tune-stream", run, *given, "-o", folder / "stream"]
    subprocess.run(command, check=True)
    frame: dict[str, Any] = json.loads((folder / "stream" / "stream.json").read_text(encoding="utf-8"))
    return frame


async def _live(server: Server, scene: Scene, frame: dict[str, Any]) -> dict[str, Any]:
    """A minute in real time: a row."""
    before = server.processor_s()
    heard = await _stream(server.port, scene.samples, frame)
    busy = (server.processor_s() - before) / MINUTE
    delays, false = _matched(heard, scene.words)
    return {
        "words": len(scene.words),
        "told": len(delays),
        "false accepts": false,
        "after the word's end, p50 ms": 1e3 * float(np.median(delays)),
        "latest ms": 1e3 * max(delays),
        "processor %": 100 * busy,
        "times real time": 1 / busy,
    }


async def _stream(
    port: int, samples: np.ndarray, frame: dict[str, Any], *, chunk: float = CHUNK
) -> list[tuple[str, float, float]]:
    """Send sound as it would be heard. Events, as label, seconds since the start of the sound, and the window's end.

    The last is the answer to the end: ("", seconds, seconds of sound).
    """
    url = f"ws://127.0.0.1:{port}/v1/apps/digits/stream"
    async with connect(url, compression=None, ping_interval=None) as client:
        await client.send(json.dumps({**frame, "rate": RATE}))
        assert json.loads(await client.recv())["type"] == "ready"  # noqa: S101 - the rest would mean nothing
        start = time.perf_counter()
        hearing = asyncio.create_task(_hear(client, start))
        size = round(chunk * RATE)
        for at in range(0, len(samples), size):
            # A chunk can be sent when its last sample was heard.
            await asyncio.sleep(max(0.0, start + (at + size) / RATE - time.perf_counter()))
            await client.send(samples[at : at + size].tobytes())
        await client.send('{"type": "end"}')
        return await hearing


async def _hear(client: Any, start: float) -> list[tuple[str, float, float]]:
    heard = []
    async for message in client:
        told = json.loads(message)
        if told["type"] in ("event", "end"):
            heard.append((told.get("label", ""), time.perf_counter() - start, told.get("end", told.get("seconds"))))
    return heard


def _matched(heard: Sequence[tuple[str, float, float]], words: Sequence[Word]) -> tuple[list[float], int]:
    """Seconds from the end of each word that was told until it was, and the number of events that were none."""
    left = list(words)
    delays, false = [], 0
    for label, time_, end in heard[:-1]:
        word = next((one for one in left if one[0] == label and one[1] <= end <= one[2] + 1), None)
        if word is None:
            false += 1
        else:
            left.remove(word)
            delays.append(time_ - word[2])
    return delays, false


def _many(run: Path, scene: Scene, frame: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows for more and more streams, until the server cannot keep up; it may use one core, the clients another."""
    cores = sorted(os.sched_getaffinity(0))
    with started(lepton([f"digits={run}"], port := free_port()), port) as server:
        for pid in server.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), cores[:1])
        os.sched_setaffinity(0, cores[-1:])
        for count in STREAMS:
            for _ in range(TRIES):
                row = asyncio.run(_together(server, scene, (count, frame)))
                if row["carried"] == "yes":
                    break
            yield row
            if row["carried"] == "no":
                break
    os.sched_setaffinity(0, cores)


async def _together(server: Server, scene: Scene, how: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    """So many streams at one time, each from another place of the minute: a row."""
    count, frame = how
    size = round(SECONDS * RATE)
    turned = [np.roll(scene.samples, -index * len(scene.samples) // count)[:size] for index in range(count)]
    before = server.processor_s()
    heard = await asyncio.gather(*(_stream(server.port, one, frame, chunk=0.1) for one in turned))
    busy = (server.processor_s() - before) / SECONDS
    late = [each[-1][1] - SECONDS for each in heard]
    waits = [seconds - end for each in heard for _, seconds, end in each[:-1]]
    p95 = float(np.quantile(waits, 0.95))
    return {
        "streams": count,
        "core %": 100 * busy,
        "event after its window, p50 ms": 1e3 * float(np.median(waits)),
        "p95 ms": 1e3 * p95,
        "last answer late by, s": max(late),
        "carried": "yes" if p95 < SOON and max(late) < 1 else "no",
    }


if __name__ == "__main__":
    main()

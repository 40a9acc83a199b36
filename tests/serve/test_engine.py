import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lepton.bundle import golden
from lepton.core.errors import BadInput
from lepton.core.types import Arrays
from lepton.runtime.app import MAX_BATCH, App, Sample, load
from lepton.serve import _engine
from lepton.serve._engine import Ask, Engine
from lepton.serve._limits import Limits
from lepton.serve._meters import Meters
from lepton.serve._problems import Problem

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
TEXTS = ["rate", "where is my card", "rate of exchange", "my card", "top up"]


@pytest.fixture(scope="module")
def app() -> App:
    return load(APPS / "text-classification")


class Batches:
    """Notes how many samples run together, and holds a batch back while `gate` is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        answer = App.answer

        def noted(own: App, samples: Any, **more: Any) -> Any:
            self.sizes.append(len(samples))
            self.entered.set()
            assert self.gate.wait(20)
            return answer(own, samples, **more)

        monkeypatch.setattr(App, "answer", noted)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Batches]:
    found = Batches(monkeypatch)
    yield found
    found.gate.set()


def engine_of(app: App, *, quick: bool, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> Engine:
    monkeypatch.setattr(_engine, "_QUICK", 1.0 if quick else 0.0)
    made = Engine(app, limits=Limits(**limits), meters=Meters().of("text"))
    made.warm(TEXTS[:1])
    return made


async def ask_all(engine: Engine, asks: list[Ask]) -> list[Any]:
    for ask in asks:
        engine.submit(ask)
    found = await asyncio.gather(*(ask.future for ask in asks), return_exceptions=True)
    await engine.drained()
    return found


def same(found: Any, expected: Any) -> bool:
    """Equal but for the rounding of matrix kernels: this old app says that it may be batched."""
    return not list(golden.differences(expected, found, 1e-6))


@pytest.mark.parametrize("quick", [True, False])
def test_every_request_gets_its_own_answers(app: App, monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    engine = engine_of(app, quick=quick, monkeypatch=monkeypatch)
    asks = [Ask([text]) for text in TEXTS] + [Ask(TEXTS)]
    found = asyncio.run(ask_all(engine, asks))
    expected = [app.predict(text) for text in TEXTS]
    assert same(found, [*([answer] for answer in expected), expected])


def test_small_requests_of_one_turn_are_one_batch(app: App, monkeypatch: pytest.MonkeyPatch, batches: Batches) -> None:
    engine = engine_of(app, quick=True, monkeypatch=monkeypatch)
    batches.sizes.clear()
    asyncio.run(ask_all(engine, [Ask([text]) for text in TEXTS]))
    assert batches.sizes == [len(TEXTS)]


def test_what_comes_alone_is_answered_as_it_comes_until_company_is_met(
    app: App, monkeypatch: pytest.MonkeyPatch, batches: Batches
) -> None:
    engine = engine_of(app, quick=True, monkeypatch=monkeypatch)

    async def main() -> list[bool]:
        at_once = []
        for _ in range(_engine._ALONE + 2):
            ask = Ask(TEXTS[:1])
            engine.submit(ask)
            at_once.append(ask.future.done())
            await ask.future
        return at_once

    assert asyncio.run(main()) == [False, *[True] * _engine._ALONE, False]
    engine._alone = 0
    batches.sizes.clear()
    asyncio.run(ask_all(engine, [Ask([text]) for text in TEXTS]))
    assert batches.sizes == [len(TEXTS)]
    assert engine._alone == 0


def test_between_slices_of_a_long_turn_the_loop_sees_to_others(
    app: App, monkeypatch: pytest.MonkeyPatch, batches: Batches
) -> None:
    engine = engine_of(app, quick=True, monkeypatch=monkeypatch, queue=4)
    monkeypatch.setattr(engine, "_takes", lambda ask: _engine._QUICK * 0.4)
    batches.sizes.clear()
    seen = []

    async def main() -> Problem:
        asks = [Ask([text]) for text in (TEXTS * 4)[:4]]
        for ask in asks:
            engine.submit(ask)
        with pytest.raises(Problem, match="wait already") as refused:
            engine.submit(Ask(TEXTS[:1]))
        asks[0].future.add_done_callback(lambda _: seen.append([ask.future.done() for ask in asks]))
        await asyncio.gather(*(ask.future for ask in asks))
        return refused.value

    assert asyncio.run(main()).status == 503
    assert batches.sizes == [2, 2]
    assert seen == [[True, True, False, False]]


def test_what_queues_while_the_engine_is_busy_is_the_next_batch(
    app: App, monkeypatch: pytest.MonkeyPatch, batches: Batches
) -> None:
    engine = engine_of(app, quick=False, monkeypatch=monkeypatch)
    batches.sizes.clear()
    batches.entered.clear()
    batches.gate.clear()

    async def main() -> None:
        first = Ask(TEXTS[:1])
        engine.submit(first)
        await asyncio.to_thread(batches.entered.wait, 20)
        rest = [Ask([text]) for text in TEXTS[1:]]
        for ask in rest:
            engine.submit(ask)
        await asyncio.sleep(0.1)
        batches.gate.set()
        await asyncio.gather(first.future, *(ask.future for ask in rest))
        await engine.drained()

    asyncio.run(main())
    assert batches.sizes == [1, len(TEXTS) - 1]


def test_a_batch_has_its_limit(app: App, monkeypatch: pytest.MonkeyPatch, batches: Batches) -> None:
    engine = engine_of(app, quick=False, monkeypatch=monkeypatch)
    batches.sizes.clear()
    asyncio.run(ask_all(engine, [Ask([TEXTS[0]]) for _ in range(3 * MAX_BATCH)]))
    assert sum(batches.sizes) == 3 * MAX_BATCH
    assert max(batches.sizes) <= MAX_BATCH


def test_beyond_its_length_the_queue_refuses_with_the_time_to_wait(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(app, quick=False, monkeypatch=monkeypatch, queue=2)

    async def main() -> Problem:
        asks = [Ask([text]) for text in TEXTS[:2]]
        for ask in asks:
            engine.submit(ask)
        with pytest.raises(Problem, match="wait already") as refused:
            engine.submit(Ask(TEXTS[:1]))
        await asyncio.gather(*(ask.future for ask in asks))
        await engine.drained()
        return refused.value

    problem = asyncio.run(main())
    assert problem.status == 503
    assert int(problem.headers["Retry-After"]) >= 1


def test_what_cannot_be_answered_in_time_is_refused_at_once(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(app, quick=False, monkeypatch=monkeypatch)
    engine._pace = 1.0

    async def main() -> None:
        with pytest.raises(Problem, match="longer than this request may wait"):
            engine.submit(Ask(TEXTS, until=time.monotonic() + 2))
        await engine.drained()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["late", "gone"])
def test_what_nobody_waits_for_is_dropped(
    app: App, monkeypatch: pytest.MonkeyPatch, batches: Batches, how: str
) -> None:
    engine = engine_of(app, quick=False, monkeypatch=monkeypatch)
    batches.sizes.clear()
    batches.entered.clear()
    batches.gate.clear()

    async def main() -> Ask:
        first, second = Ask(TEXTS[:1]), Ask(TEXTS[:2], until=time.monotonic() + (0.1 if how == "late" else 60))
        engine._pace = 1e-6
        engine.submit(first)
        await asyncio.to_thread(batches.entered.wait, 20)
        engine.submit(second)
        await asyncio.sleep(0.2)
        if how == "gone":
            second.future.cancel()
        batches.gate.set()
        await first.future
        await engine.drained()
        return second

    second = asyncio.run(main())
    assert batches.sizes == [1], "the second never ran"
    assert second.future.cancelled() if how == "gone" else isinstance(second.future.exception(), Problem)
    assert engine._waiting == 0


@pytest.mark.parametrize("quick", [True, False])
def test_a_bad_input_is_its_own_answer(app: App, monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    engine = engine_of(app, quick=quick, monkeypatch=monkeypatch)
    found = asyncio.run(ask_all(engine, [Ask([TEXTS[0], b"\xff"]), Ask(TEXTS[:1])]))
    assert isinstance(found[0][1], BadInput)
    assert same(found[0][0], found[1][0])


def test_samples_that_come_encoded_share_batches_with_raw_inputs(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(app, quick=True, monkeypatch=monkeypatch)
    asks = [Ask(TEXTS[:1]), Ask(samples=[Sample(app.encode(TEXTS[0]))])]
    raw, encoded = asyncio.run(ask_all(engine, asks))
    assert raw == encoded


def test_an_app_that_may_not_be_batched_runs_one_by_one(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dynamic int8 scales by the whole batch: company would change its answers."""
    graphs = {name: msgspec.structs.replace(graph, batchable=False) for name, graph in app.manifest.graphs.items()}
    manifest = msgspec.structs.replace(app.manifest, graphs=graphs)
    alone = replace(app, bundle=replace(app.bundle, manifest=manifest))
    rows: list[int] = []
    run = App.run

    def noted(own: App, arrays: Arrays, **more: Any) -> Any:
        rows.append(len(next(iter(arrays.values()))))
        return run(own, arrays, **more)

    monkeypatch.setattr(App, "run", noted)
    engine = engine_of(alone, quick=True, monkeypatch=monkeypatch)
    asyncio.run(ask_all(engine, [Ask([TEXTS[0]]) for _ in range(8)]))
    assert set(rows) == {1}


def test_pace_follows_what_it_sees() -> None:
    assert _engine._follow(float("inf"), 2.0) == 2.0
    assert np.isclose(_engine._follow(1.0, 2.0), 1.1)
    assert np.isclose(_engine._follow(1.0, 1000.0), 1.2), "one pause of the machine is not the app's pace"


def test_what_comes_encoded_is_not_judged_by_the_time_that_reading_takes(app: App) -> None:
    engine = Engine(app, limits=Limits(), meters=Meters().of("text"))
    engine.warm(TEXTS)
    assert engine._read_pace < float("inf")
    engine._pace, engine._read_pace = 1e-5, 1.0
    sample = app.read(TEXTS[0])
    assert engine._is_quick(Ask(samples=[sample]))
    assert not engine._is_quick(Ask([TEXTS[0]]))
    engine.close()


def test_the_pace_is_not_that_of_the_first_cold_answer(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, calls = App.answer, []

    def slow_at_first(own: App, samples: Any, **more: Any) -> Any:
        calls.append(len(samples))
        if len(calls) == 1:
            time.sleep(0.5)
        return answer(own, samples, **more)

    monkeypatch.setattr(App, "answer", slow_at_first)
    engine = Engine(app, limits=Limits(), meters=Meters().of("text"))
    engine.warm(TEXTS[:1])
    assert engine._pace < 0.25
    engine.close()

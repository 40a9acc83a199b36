"""What models say of labels that they did not learn from: `predictions` for the audit, `suspects` for stages.

Records are dealt into five folds; for each, learners answer that were taught by the other four. Near-duplicates stand
in one fold, so that copies do not vouch for each other. The first round learns from all labels; the next ones let
each label count by how likely it is right, and deal the folds anew. What all say is averaged.
"""

import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lepton.checks import _label_quality
from lepton.checks._predictions import Predictions
from lepton.core import seeds
from lepton.core.progress import Bar, Progress, Silent
from lepton.core.types import Record
from lepton.stages import _features, _learners, _pool, _usable, _words
from lepton.stages._learners import FOLDS, Bayes, Kernel, Learner, Lesson, Linear, Neighbours

_FEATURES = {"image": _features.looks, "audio": _features.sounds, "volume": _features.bodies}

ROUNDS = 4
"""The first learns from all labels, the others less from doubtful ones."""

_GAIN = 0.05  # by which share models must predict labels better than the classes' shares do
_LEAST = 1e-6
_SHOWN = 5
_MOST = 100_000
"""How many records are judged: what is said of them is held in memory, some kilobytes each."""

_CELLS = 30_000_000
"""How many probabilities are held, records times classes; there are some ten copies of 4 or 8 bytes at times."""


@dataclass(frozen=True)
class Asked:
    """How predictions are made: seed, minutes, near-duplicates (record id -> cluster), a hub model, progress.

    Once the minutes are over no further learner is begun; what is begun depends on nothing else but the data.
    """

    seed: int = 0
    minutes: float = 5.0
    clusters: Mapping[str, Hashable] = field(default_factory=dict)
    encoder: str | None = None
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True)
class Found:
    """The predictions, or none; and remarks for the reader."""

    predictions: Predictions | None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Judged:
    """By record id: the probability that its label is `wrong`, and the likeliest other class, `suggested`.

    Both are empty where nothing could be judged, which `notes` then say. `expected`, the sum of the probabilities, is
    about how many labels are wrong.
    """

    wrong: Mapping[str, float]
    suggested: Mapping[str, str]
    expected: float
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class _Case:
    """Labelled things: their records' ids, labels, groups and places, and who is to judge them."""

    records: Sequence[str]
    labels: Sequence[str]
    group: np.ndarray
    learners: Sequence[Learner]
    places: Sequence[tuple[int, int]] | None = None


def suspects(records: Sequence[Record], asked: Asked) -> Judged:
    """Judge the labels of records that are of one class each, as `checks.label_errors` does: nothing is changed.

    Only these records are learnt from, so what is cleaned with it should be handed over without the test split.
    """
    found = predictions([record for record in records if isinstance(record.label, str)], asked)
    if found.predictions is None:
        return Judged({}, {}, 0.0, found.notes)
    judged = found.predictions
    doubts = _label_quality.doubts(judged.given, judged.probabilities)
    others = [judged.classes[place] for place in doubts.likeliest]
    wrong = dict(zip(judged.records, doubts.wrong.tolist(), strict=True))
    return Judged(wrong, dict(zip(judged.records, others, strict=True)), doubts.expected, found.notes)


def predictions(records: Sequence[Record], asked: Asked) -> Found:
    """Predict the labels of all records that have one and can be read, of whatever split.

    Without a hub model texts are judged by n-grams, images by edges and colours, sounds by their bands, volumes by
    edges. Classes that stand in fewer clusters than there are folds are left out. Raises UserError where the hub model
    is no good.
    """
    deadline = time.monotonic() + 60 * asked.minutes
    labelled, sampled = _sampled([record for record in records if record.label is not None], asked.seed)
    modality = _usable.modality(labelled)
    usable = _readable(labelled, modality)
    classed = [record for record in usable if isinstance(record.label, str)]
    case = _of_records(classed, modality, asked) if classed or not usable else _of_words(usable, asked)
    notes = [*sampled, *_left_out(classed, case)]
    if case is None:
        rule = f"two classes with {FOLDS} different records each are needed"
        return Found(None, [*notes, f"label errors were not looked for: {rule}"])
    classes = sorted(set(case.labels))
    given = np.array([classes.index(label) for label in case.labels])
    chances, short = _answered(case, given, asked=asked, deadline=deadline)
    if not _heard(chances, given):
        hopeless = "label errors were not looked for: simple models cannot tell these classes apart"
        return Found(None, [*notes, hopeless])
    return Found(Predictions(classes, case.records, given, chances, case.places), [*notes, *short])


def _sampled(records: Sequence[Record], seed: int) -> tuple[Sequence[Record], list[str]]:
    """No more records than memory allows for, in their order, and a note where some were left out."""
    classes = len({record.label for record in records if isinstance(record.label, str)})
    most = min(_MOST, _CELLS // max(1, classes))
    if len(records) <= most:
        return records, []
    drawn = np.sort(seeds.generator(seed, "judged").permutation(len(records))[:most])
    note = f"label errors were looked for in {most:,} of {len(records):,} records, drawn at random"
    return [records[at] for at in drawn.tolist()], [note]


def _left_out(records: Sequence[Record], case: _Case | None) -> list[str]:
    """A note that names the classes which are too rare, where others are judged."""
    rare = sorted({str(record.label) for record in records} - set(case.labels)) if case else []
    named = ", ".join(rare[:_SHOWN]) + (", ..." if len(rare) > _SHOWN else "")
    return [f"no label errors were looked for in classes of fewer than {FOLDS} records: {named}"] if rare else []


def _readable(records: Sequence[Record], modality: str) -> list[Record]:
    bad = {item.id for item in _usable.unreadable(records, modality)}
    return [record for record in records if record.id not in bad and (modality != "text" or str(record.raw).strip())]


def _of_records(records: Sequence[Record], modality: str, asked: Asked) -> _Case | None:
    group = _groups([record.id for record in records], asked.clusters)
    labels = np.array([str(record.label) for record in records], object)
    enough = np.flatnonzero(_frequent(labels, group))
    if len(set(labels[enough])) < 2:
        return None
    kept = [records[at] for at in enough.tolist()]
    learners = _learners_of(kept, modality, (group[enough], asked))
    return _Case([record.id for record in kept], list(labels[enough]), group[enough], learners)


def _learners_of(records: Sequence[Record], modality: str, how: tuple[np.ndarray, Asked]) -> list[Learner]:
    group, asked = how
    seed = asked.seed
    known: list[Learner]
    if modality == "text":
        grams = _features.grams(records)
        topics = _features.topics(grams, seed)
        told = _features.beside(grams, _features.turns(records))
        known = [Linear(told), Bayes(grams), Kernel(topics, seed), Neighbours(grams, group, seed)]
    else:
        rows = _FEATURES[modality](records, seed)
        known = [Kernel(rows, seed), Neighbours(_features.unit(rows), group, seed)]
    if asked.encoder is not None:
        from lepton.stages import _embeddings  # torch is loaded only where it is needed

        states = _embeddings.embeddings(records, asked.encoder, f"{modality}-classification")
        known += [Kernel(states, seed), Neighbours(states, group, seed)]
    return known


def _of_words(records: Sequence[Record], asked: Asked) -> _Case | None:
    found = _words.words(records)
    labels = np.array(found.classes, object)
    group = _groups([record.id for record in records], asked.clusters)[found.records]
    enough = np.flatnonzero(_frequent(labels, group))
    if len(set(labels[enough])) < 2:
        return None
    features = found.features[enough]
    names = [records[found.records[at]].id for at in enough]
    learners: list[Learner] = [Linear(features), Bayes(features)]
    return _Case(names, list(labels[enough]), group[enough], learners, [found.places[at] for at in enough])


def _groups(names: Sequence[str], clusters: Mapping[str, Hashable]) -> np.ndarray:
    """A number (N,) for each cluster; what is in none stands alone."""
    numbers: dict[Hashable, int] = {}
    keys = [("cluster", clusters[name]) if name in clusters else ("record", name) for name in names]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _frequent(labels: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Which labels (N,) stand in so many groups that every fold can be judged by the others."""
    counts = Counter(label for label, _ in set(zip(labels.tolist(), group.tolist(), strict=True)))
    return np.array([counts[label] >= FOLDS for label in labels], bool)


def _answered(case: _Case, given: np.ndarray, *, asked: Asked, deadline: float) -> tuple[np.ndarray, list[str]]:
    """The probabilities (N, C) and what there is to say of how they came about."""
    lesson = Lesson(given, int(given.max()) + 1, np.zeros(0, int), case.group, np.ones(len(given)), asked.seed)
    rounds: list[np.ndarray] = []
    with asked.progress.bar("judging labels", ROUNDS * len(case.learners)) as bar:
        for number in range(ROUNDS):
            seed = seeds.derive(asked.seed, "round", number)
            lesson = replace(lesson, fold=_learners.dealt(given, case.group, seed), seed=seed)
            found = _round(case.learners, lesson, limits=(bar, deadline), least=0 if number else 1)
            if len(found) < len(case.learners) and number:
                return _averaged(rounds), [_cut_short(number, asked.minutes)]
            rounds.append(_pool.pooled(found, given))
            lesson = replace(lesson, weights=1 - _label_quality.doubts(given, _averaged(rounds)).suspicion)
    return _averaged(rounds), []


def _round(learners: Sequence[Learner], lesson: Lesson, *, limits: tuple[Bar, float], least: int) -> list[np.ndarray]:
    """The scores of the learners that could be begun in time, `least` of them at any rate."""
    bar, deadline = limits
    found: list[np.ndarray] = []
    for learner in learners:
        if len(found) >= least and time.monotonic() > deadline:
            break
        found.append(learner(lesson))
        bar.step()
    return found


def _averaged(rounds: Sequence[np.ndarray]) -> np.ndarray:
    """The geometric mean of the first round, which learnt from all labels, and of the mean of the others."""
    logs = [np.log(np.maximum(each, _LEAST)) for each in rounds]
    later = [np.mean(logs[1:], axis=0)] if len(logs) > 1 else []
    return _pool.softmax(np.mean([logs[0], *later], axis=0))


def _cut_short(rounds: int, minutes: float) -> str:
    return (
        f"labels were judged in {rounds} of {ROUNDS} rounds, all that {minutes:g} minutes allow: --minutes gives more"
    )


def _heard(chances: np.ndarray, given: np.ndarray) -> bool:
    """Whether the labels are predicted better than by the classes' shares alone."""
    shares = np.bincount(given) / len(given)
    return _pool.loss(chances, given) < (1 - _GAIN) * -float(np.log(shares[given]).mean())

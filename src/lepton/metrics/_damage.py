"""What two models answer differently on the same records: how many answers, in which direction, and in which classes.

Shapes: N records. Within a class or group the records that only one of the two had right are compared by the exact
sign test (McNemar, 1947, with the binomial distribution); the change of the share that is right has Tango's interval
(1998). Over the rows of one table Holm's correction (1979) holds the chance of any false alarm at 5 %. It counts the
rows that could be significant at all: fewer than 6 records that changed sides never are, whichever way they went
(Tarone, 1990).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import NormalDist
from typing import Any

import numpy as np

from lepton.core.types import Label
from lepton.metrics import exact_match
from lepton.metrics._answers import Answer, found_spans, spans
from lepton.metrics._tango import tango_interval

Answers = tuple[Sequence[Answer], Sequence[Answer]]
"""The answers of the reference, and those of the compressed model to the same records."""

_LEVEL = 0.05
_LEAST = 6  # the smallest count whose sign test can fall below 5 %: 2 / 2**6
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of each record: right before, right after, and whether the answer is another one. bool (N,) each."""

    before: np.ndarray
    after: np.ndarray
    changed: np.ndarray

    @property
    def lost(self) -> np.ndarray:
        """Records that only the reference had right."""
        return np.asarray(self.before & ~self.after)

    @property
    def won(self) -> np.ndarray:
        """Records that only the compressed model has right."""
        return np.asarray(self.after & ~self.before)


def ranked(answers: Sequence[Answer]) -> bool:
    """Whether the answers are classes by their scores, and not the entities of texts."""
    return any("label" in answer[0] for answer in answers if answer)


def fates(truth: Sequence[Label], answers: Answers) -> Fates:
    """Hold both answers against the truth; entities are right when their set is exactly the true one."""
    before, after = (exact_match.table(truth, own, ())[:, 0] > 0 for own in answers)
    pairs = zip(*answers, strict=True)
    if ranked(answers[0]):
        changed = [first[0]["label"] != second[0]["label"] for first, second in pairs]
    else:
        changed = [found_spans(first) != found_spans(second) for first, second in pairs]
    return Fates(before, after, np.array(changed, bool))


def counts(found: Fates) -> dict[str, int]:
    """Records by what became of them; "wrong_to_wrong" have another answer that is wrong as well."""
    changed = {"right_to_wrong": found.lost, "wrong_to_right": found.won}
    both_wrong = found.changed & ~found.before & ~found.after
    rows = {**changed, "wrong_to_wrong": both_wrong, "unchanged": ~found.changed}
    return {name: int(own.sum()) for name, own in rows.items()}


def rows(found: Fates, values: Sequence[str | None], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each of `names` that occurs in `values` (N,), what each record counts for; None counts for nothing.

    A row has `n` records, the shares right `before` and `after`, their `change` between `low` and `high` (95 %, of
    this row alone), how many records were `lost` and `won`, the `p` of the sign test (of this row alone), and whether
    it is `significant` among all rows.
    """
    places = {name: np.array([value == name for value in values], bool) for name in names}
    return _judged([_row(name, found, inside) for name, inside in places.items() if inside.any()])


def class_rows(truth: Sequence[Label], answers: Answers, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the true classes in the order of `classes`, those that the models do not know behind them.

    Where answers are entities, `n` counts the true entities of a type and the shares are of those found; `lost` and
    `won` count texts in which fewer or more of them are found, and there is no interval (`low` and `high` are None),
    since entities of one text are not independent.
    """
    if not ranked(answers[0]):
        return _judged([row for name in classes if (row := _entities(name, truth, answers))["n"]])
    values = [None if label is None else str(label) for label in truth]
    others = sorted({value for value in values if value is not None} - set(classes))
    return rows(fates(truth, answers), values, [*classes, *others])


def sign_test(lost: int, won: int) -> float:
    """The exact two-sided p of as uneven a parting, were both sides equally likely; 1 where nothing changed sides."""
    total = lost + won
    tail = sum(comb(total, index) for index in range(min(lost, won) + 1))
    return float(min(1.0, 2 * tail / 2**total))


def holm(chances: Sequence[float]) -> list[float]:
    """The p values corrected for their number by Holm's steps, in the order given."""
    corrected = [0.0] * len(chances)
    highest = 0.0
    for step, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        highest = max(highest, min(1.0, (len(chances) - step) * chances[index]))
        corrected[index] = highest
    return corrected


def _row(name: str, found: Fates, inside: np.ndarray) -> dict[str, Any]:
    n, lost, won = (int(own[inside].sum()) for own in (np.ones_like(inside), found.lost, found.won))
    low, high = tango_interval((won, lost, n), _Z)
    shares = {"before": float(found.before[inside].mean()), "after": float(found.after[inside].mean())}
    changes = {"change": (won - lost) / n, "low": low, "high": high}
    return {"label": name, "n": n, **shares, **changes, "lost": lost, "won": won, "p": sign_test(lost, won)}


def _entities(name: str, truth: Sequence[Label], answers: Answers) -> dict[str, Any]:
    """The row of one type of entity."""
    true = [{span for span in spans(label) if span.label == name} for label in truth]
    pairs = [zip(true, own, strict=True) for own in answers]
    before, after = (np.array([len(own & found_spans(answer)) for own, answer in pair]) for pair in pairs)
    n, lost, won = sum(map(len, true)), int((after < before).sum()), int((after > before).sum())
    shares = {"before": float(before.sum() / max(n, 1)), "after": float(after.sum() / max(n, 1))}
    changes = {"change": shares["after"] - shares["before"], "low": None, "high": None}
    return {"label": name, "n": n, **shares, **changes, "lost": lost, "won": won, "p": sign_test(lost, won)}


def _judged(table: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with whether it is significant among those that could be."""
    able = [row for row in table if row["lost"] + row["won"] >= _LEAST]
    corrected = holm([row["p"] for row in able])
    passed = {row["label"] for row, chance in zip(able, corrected, strict=True) if chance <= _LEVEL}
    return [{**row, "significant": row["label"] in passed} for row in table]

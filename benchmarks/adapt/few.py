"""Few examples of each class: what each way makes of them, from a pretrained sentence encoder.

Usage: python benchmarks/adapt/few.py [CASE ...] [--draws N] [--ways WAY ...]

The examples of a class are drawn by the seed (`data.shots`); the test set is whole. A part of the training file
validates: the ways that train in steps keep the epoch that is best on it. Beside: the linear baseline, the same
architecture from scratch, and SetFit (in an environment of its own) on the same examples and encoder, for as many
seconds of the processor as contrastive tuning took. Scores are those of the network in PyTorch. One thread.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from _environments import python
from _table import DATA, RESULTS, keep
from table import Measured, baseline, encoder, figures, records_of, score, trained

NAME = "few_shot"
RIVAL = Path(__file__).with_name("rival_setfit.py")
TUNED, BASELINE, SETFIT = "contrastive", "linear baseline", "SetFit"
COLUMNS = ("case", "draw", "what", "accuracy", "interval", "test", "examples", "validation", "processor s")

_STEPS = ("train.epochs=20", "train.lr=3e-4", "train.batch=16")
"""What training in steps is given; the hub's five epochs are for thousands of examples."""

WAYS: Mapping[str, Sequence[str]] = {
    "linear": ("adapt=linear",),
    "prototypes": ("adapt=prototypes",),
    TUNED: ("adapt=contrastive",),
    "lora": ("adapt=lora", *_STEPS),
    "full": ("adapt=full", *_STEPS),
    "from scratch": ("model.pretrained=false", *_STEPS),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A set of texts of which few are learned from."""

    train: str
    test: str
    shots: int
    validation: float

    def recipe(self, name: str) -> dict[str, str]:
        """The recipe's sections."""
        source = f'{{ train = "{DATA / self.train}", test = "{DATA / self.test}" }}'
        return {
            "name": name,
            "task": "text-classification",
            "data": f"source = {source}\nsplit = {{ validation = {self.validation} }}\nshots = {self.shots}",
            "model": f'name = "hub"\nhub = "{encoder()}"',
            "train": "",
        }


_BANKING = ("banking77/train.csv", "banking77/test.csv")
_TREC = ("sentences/TREC.train.all", "sentences/TREC.test.all")
CASES = {
    "banking77, 10 an intent": Case(*_BANKING, shots=10, validation=0.03),
    "TREC, 10 a kind": Case(*_TREC, shots=10, validation=0.05),
    "banking77, 5 an intent": Case(*_BANKING, shots=5, validation=0.03),
}


def main(names: Sequence[str], draws: int, ways: Sequence[str]) -> None:
    """Measure the cases named, or all, draw by draw, and keep the table after each row; a row that is there stays."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    for draw in range(draws):
        for name in names or CASES:
            for found in _rows(_Drawn(name, draw), ways):
                known = {**_known(), (name, draw, found["what"]): found}
                keep(NAME, [{column: each.get(column, "") for column in COLUMNS} for each in known.values()])


def _known() -> dict[tuple[str, int, str], Row]:
    path = RESULTS / f"{NAME}.json"
    found = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {(each["case"], each["draw"], each["what"]): each for each in found}


def _rows(drawn: "_Drawn", ways: Sequence[str]) -> Iterator[Row]:
    """The rows of a draw that are not kept yet."""
    for what in ways or [BASELINE, *WAYS, SETFIT]:
        if (drawn.name, drawn.draw, what) not in _known():
            yield {**drawn.row(what), "case": drawn.name, "draw": drawn.draw, "what": what}


@dataclass(frozen=True)
class _Drawn:
    """A case with one draw of its examples."""

    name: str
    draw: int

    def row(self, what: str) -> Row:
        """What `what` reached, and what it cost."""
        if what == SETFIT:
            return self.setfit()
        return self.baseline() if what == BASELINE else self.trained(what)

    def run(self, way: str) -> Measured:
        folder = "few-" + "".join(each for each in self.name.lower() if each.isalnum())
        sets = (f"app.seed={self.draw}", *WAYS[way])
        return trained(folder, CASES[self.name].recipe(folder), sets)

    def trained(self, way: str) -> Row:
        found = self.run(way)
        return {**figures(found), "examples": len(records_of(found.run, "train"))}

    def baseline(self) -> Row:
        found = self.run("linear").run
        return {**baseline(found), "examples": len(records_of(found, "train"))}

    def setfit(self) -> Row:
        """SetFit's answers, after as many seconds as contrastive tuning took."""
        found, seconds = self.run(TUNED).run, _known()[self.name, self.draw, TUNED]["processor s"]
        asked, answered = (found.folder / f"setfit-{self.draw}-{what}.json" for what in ("asked", "answered"))
        train = [(each.raw, each.label) for each in records_of(found, "train")]
        told = {"train": train, "test": [each.raw for each in records_of(found, "test")]}
        asked.write_text(json.dumps(told), encoding="utf-8")
        subprocess.run([python(RIVAL), RIVAL, encoder(), asked, str(seconds), answered], check=True)
        got = json.loads(answered.read_text(encoding="utf-8"))
        answers = [[{"label": answer, "score": 1.0}] for answer in got["answers"]]
        return {**score(found, lambda *_: answers), "examples": len(train), "processor s": got["seconds"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--ways", nargs="*", default=())
    given = parser.parse_args()
    main(given.cases, given.draws, given.ways)

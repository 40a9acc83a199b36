"""The workshop: who teaches, what is learnt, and how much of it."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from lepton.bundle import manifest
from lepton.compress._candidate import Candidate, Teaching
from lepton.core import plugins, settings
from lepton.core.errors import UserError
from lepton.core.progress import Silent
from lepton.core.settings import Plugin
from lepton.core.types import Record
from lepton.runtime import app as apps
from lepton.stages import _fit
from lepton.stages._fit import Data
from lepton.stages._workshop import Shop
from lepton.training.settings import TrainSettings

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"
CLASSES = ["gamma", "alpha", "beta"]
"""The app's own, in another order."""
TEXTCNN = {"name": "textcnn", "preset": "tiny", "dropout": 0.0}
BAG = {"name": "bag", "preset": "small", "width": 16, "dropout": 0.0}
CNN = {"name": "cnn", "preset": "lenet", "kernel": 3, "dense": [16]}
WORDS = ["card", "money", "bank", "cash", "queue", "letter", "number", "garden"]


def texts(count: int, seed: int) -> list[Record]:
    """Texts of common words and one that tells the class."""
    random = np.random.default_rng(seed)
    found = []
    for index in range(count):
        label = CLASSES[index % 3]
        words = [*random.choice(WORDS, 5), f"{label}ish"]
        random.shuffle(words)
        found.append(Record(f"{seed}#{index}", " ".join(words), label))
    return found


def pictures(count: int, seed: int) -> list[Record]:
    """Bright and dark squares."""
    random = np.random.default_rng(seed)
    found = []
    for index in range(count):
        stream = io.BytesIO()
        pixels = random.integers(0, 60, (12, 12)) + (150 if index % 2 else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
        found.append(Record(f"{seed}#{index}", stream.getvalue(), ["dark", "bright"][index % 2]))
    return found


def shop(folder: Path, data: Data, *, epochs: int = 6, family: str = "") -> Shop:
    how = TrainSettings(epochs=epochs, batch=8, lr=1e-2, threads=1, augment=0.0, smoothing=0.0)
    return Shop(data, how, folder, folder / "scratch", folder, Silent(), _kept={"family": family})


def text_data(classes: Sequence[str] = CLASSES) -> Data:
    return Data("text-classification", list(classes), texts(48, 0), texts(24, 1), "accuracy", 0)


def image_data() -> Data:
    return Data("image-classification", ["dark", "bright"], pictures(32, 0), pictures(20, 1), "accuracy", 0)


def resolved(model: dict[str, object]) -> dict[str, object]:
    found, faults = settings.choose(model, Plugin("models", "build"), "model")
    assert not faults
    return found


def trained(work: Shop, model: dict[str, object]) -> Candidate:
    """A network that has learnt the labels."""
    start = _fit.fresh(work.data, resolved(model))
    _fit.fit(work.data, start, _fit.Job(work.train, work.scratch / "teacher.pt", Silent()))
    return Candidate(start.described, start.transform, start.network.eval())


def contrary(teacher: Candidate) -> Candidate:
    """The same with its last layer's answers moved on by one class: what it teaches is no label."""
    last = [layer for layer in teacher.network.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        for each in last.parameters():
            each.copy_(each.roll(1, 0))
    return teacher


def labels(given: Candidate, records: Sequence[Record]) -> list[str]:
    """What a network answers, one record at a time."""
    name, fitted = given.transform
    module = plugins.load("transforms", name)
    encode, found = module.encoder(fitted.settings, fitted.files), []
    for record in records:
        batch = module.collate([encode(record.read())])
        with torch.inference_mode():
            logits = given.network(*(torch.from_numpy(batch[key]) for key in given.described["inputs"]))
        found.append(given.described["classes"][int(logits.argmax())])
    return found


def agreement(one: Sequence[str], other: Sequence[str]) -> float:
    return float(np.mean([first == second for first, second in zip(one, other, strict=True)]))


def app_with_classes(folder: Path, classes: Sequence[str]) -> Path:
    """The app with its outputs named otherwise."""
    source = manifest.read(APP)
    told = msgspec.structs.replace(source.manifest, classes=tuple(classes))
    manifest.write(folder, told, {name: source.path(name).read_bytes() for name in told.files})
    return folder


def chances(folder: Path, records: Sequence[Record]) -> np.ndarray:
    """The probabilities that an app gives, in the order of CLASSES."""
    answers = apps.load(folder).predict([record.read() for record in records])
    return np.array([[{row["label"]: row["score"] for row in answer}[name] for name in CLASSES] for answer in answers])


def test_an_app_teaches_with_its_probabilities(tmp_path: Path) -> None:
    work = shop(tmp_path, text_data())
    table = work._table(Teaching([str(APP)]), work.data.validation)
    expected = chances(APP, work.data.validation)
    np.testing.assert_allclose(torch.from_numpy(table).softmax(1), expected, atol=1e-5)
    assert len({tuple(row.argsort()) for row in expected}) > 1


def test_a_run_teaches_by_its_app_and_paths_start_from_the_recipe(tmp_path: Path) -> None:
    app_with_classes(tmp_path / "runs" / "large" / "app", ["alpha", "beta", "gamma"])
    work = shop(tmp_path, text_data())
    tables = [
        work._table(Teaching([path]), work.data.validation) for path in ("runs/large", "runs/large/app", str(APP))
    ]
    assert all(np.array_equal(tables[0], table) for table in tables)


def test_several_teachers_teach_with_the_mean_of_their_probabilities(tmp_path: Path) -> None:
    turned = app_with_classes(tmp_path / "turned", ["beta", "gamma", "alpha"])
    work = shop(tmp_path, text_data())
    table = work._table(Teaching([str(APP), "turned"]), work.data.validation)
    expected = (chances(APP, work.data.validation) + chances(turned, work.data.validation)) / 2
    np.testing.assert_allclose(torch.from_numpy(table).softmax(1), expected, atol=1e-5)


def test_a_teacher_with_other_classes_is_refused_with_all_four_parts(tmp_path: Path) -> None:
    work = shop(tmp_path, text_data(["alpha", "beta", "delta"]))
    with pytest.raises(UserError, match="cannot teach") as caught:
        work.learn(BAG, Teaching([str(APP)], generated=0), epochs=1.0)
    assert "alpha, beta, delta" in caught.value.rule
    assert caught.value.received == "alpha, beta, gamma"
    assert caught.value.remedy


def test_a_teacher_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        shop(tmp_path, text_data()).learn(BAG, Teaching(["nowhere"], generated=0), epochs=1.0)


def test_answers_of_a_teacher_outlive_a_killed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = shop(tmp_path, text_data())
    first = work._table(Teaching([str(APP)]), work.data.train)
    monkeypatch.setattr(apps, "load", lambda folder: pytest.fail("asked again"))
    assert np.array_equal(work._table(Teaching([str(APP)], temperature=9.0), work.data.train), first)
    assert list(tmp_path.glob("answers-*")) != []


def mislabelled(data: Data) -> Data:
    """The same with every training label wrong: what is right can come from a teacher alone."""
    wrong = dict(zip(data.classes, [*data.classes[1:], data.classes[0]], strict=True))
    return data.learning([replace(record, label=wrong[record.label]) for record in data.train])


def test_a_student_of_the_same_transform_learns_from_its_teacher_and_not_from_labels(tmp_path: Path) -> None:
    data = image_data()
    teacher = trained(shop(tmp_path, data), CNN)
    work = shop(tmp_path / "work", mislabelled(data), family="cnn")
    student = work.learn({**CNN, "dense": [8]}, Teaching(teacher, share=1.0), epochs=2.0)
    assert student.transform is teacher.transform
    assert student.network is not teacher.network
    truth = [record.label for record in data.validation]
    assert agreement(labels(student, data.validation), truth) > 0.9
    astray = work.at(1.0, tmp_path / "astray").learn({**CNN, "dense": [8]}, Teaching(teacher, share=0.0), epochs=2.0)
    assert agreement(labels(astray, data.validation), truth) < 0.6


@pytest.mark.parametrize("generated", [0, 2])
def test_a_student_of_another_family_learns_from_a_table_of_answers(tmp_path: Path, generated: int) -> None:
    data = text_data()
    teacher = trained(shop(tmp_path, data), TEXTCNN)
    work = shop(tmp_path / "work", mislabelled(data), family="bag")
    student = work.learn(BAG, Teaching(teacher, share=1.0, generated=generated), epochs=4.0)
    assert student.transform[0] == "ngrams"
    assert agreement(labels(student, data.validation), [record.label for record in data.validation]) > 0.75


def test_rewritten_texts_are_labelled_by_the_teacher(tmp_path: Path) -> None:
    work = shop(tmp_path, text_data())
    teacher = contrary(trained(work, TEXTCNN))
    found = work._extended(Teaching(teacher, generated=3))
    count = len(work.data.train)
    assert list(found.train[:count]) == list(work.data.train)
    fresh = found.train[count:]
    assert len(fresh) == 3 * count
    assert [record.label for record in fresh] == labels(teacher, fresh)
    assert len({record.id for record in found.train}) == 4 * count
    assert found.validation == work.data.validation


def test_every_teacher_labels_rewritten_texts_for_itself(tmp_path: Path) -> None:
    work = shop(tmp_path, text_data())
    teacher = trained(work, TEXTCNN)
    first = [record.label for record in work._extended(Teaching(teacher, generated=1)).train]
    second = [record.label for record in work._extended(Teaching(contrary(teacher), generated=1)).train]
    assert agreement(first[48:], second[48:]) < 0.1
    by_app = work._extended(Teaching([str(APP)], generated=1)).train[48:]
    expected = chances(APP, by_app).argmax(1)
    assert [record.label for record in by_app] == [CLASSES[index] for index in expected]


def test_pictures_are_not_rewritten_and_without_a_teacher_nothing_is(tmp_path: Path) -> None:
    work = shop(tmp_path, image_data())
    assert work._extended(Teaching([str(APP)], generated=9)) is work.data
    assert shop(tmp_path, text_data())._extended(None).train == text_data().train


def test_no_effort_trains_nothing_and_asks_nobody(tmp_path: Path) -> None:
    work = shop(tmp_path, text_data()).at(0.0, tmp_path / "sketch")
    made = [work.learn(BAG, Teaching(["nowhere"], generated=4), epochs=2.0) for _ in range(2)]
    built = _fit.built(work.data, resolved(BAG), made[0].transform)
    for name, value in built.network.state_dict().items():
        for one in made:
            assert torch.equal(one.network.state_dict()[name], value)
    assert not (tmp_path / "sketch").exists()
    assert not list(tmp_path.glob("answers-*"))


@pytest.mark.parametrize(
    ("effort", "epochs", "generated", "expected"),
    [(1.0, 2.0, 0, 8), (0.5, 2.0, 0, 4), (1.0, 2.0, 3, 2), (0.01, 1.0, 0, 1)],
)
def test_effort_and_epochs_are_shares_of_the_usual_steps(
    tmp_path: Path, effort: float, epochs: float, generated: int, expected: int
) -> None:
    """Of four epochs; three texts made of each are four times the steps an epoch."""
    work = shop(tmp_path, text_data(), epochs=4, family="bag").at(effort, tmp_path / "trial")
    work.learn(BAG, Teaching([str(APP)], generated=generated), epochs=epochs)
    kept = torch.load(tmp_path / "trial" / "network.pt", weights_only=True)
    assert len(kept["history"]) == expected


def test_a_family_is_trained_in_its_own_way_on_the_device_of_the_run(tmp_path: Path) -> None:
    work = shop(tmp_path, text_data(), family="textcnn")
    own = plugins.load("models", "encoder").TRAIN
    found = work._usual({"name": "encoder"})
    assert (found.epochs, found.lr, found.threads) == (own["epochs"], own["lr"], 1)
    assert work._usual({"name": "textcnn"}) is work.train


def test_a_family_may_say_what_the_run_says_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.load("models", "bag"), "TRAIN", {"class_weights": "balanced", "threads": 8, "lr": 0.5})
    found = shop(tmp_path, text_data())._usual({"name": "bag"})
    assert (found.class_weights, found.threads, found.lr) == ("none", 1, 0.5)


def test_tuning_changes_the_network_that_it_was_given(tmp_path: Path) -> None:
    work = shop(tmp_path, image_data())
    given = trained(work, CNN)
    before = {name: value.clone() for name, value in given.network.state_dict().items()}
    made = work.tune(given, epochs=0.5, rate=0.1, teaching=None)
    assert made.network is given.network
    assert any(not torch.equal(value, before[name]) for name, value in made.network.state_dict().items())
    assert (made.described, made.transform) == (given.described, given.transform)
    kept = torch.load(work.scratch / "network.pt", weights_only=True)
    assert len(kept["history"]) == 3
    assert all(row["lr"] <= 0.1 * work.train.lr for row in kept["history"])


def test_samples_are_training_records_drawn_by_the_seed(tmp_path: Path) -> None:
    work = shop(tmp_path, image_data())
    given = trained(work, CNN)
    encode = plugins.load("transforms", "image").encoder(given.transform[1].settings, given.transform[1].files)
    known = {encode(record.read())["image"].tobytes() for record in work.data.train}
    drawn = [[item["image"].tobytes() for item in work.samples(given, count)] for count in (5, 5, 500)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 5
    assert set(drawn[2]) == known
    other = replace(work, data=replace(work.data, seed=1, _known={}))
    assert [item["image"].tobytes() for item in other.samples(given, 5)] != drawn[0]


def test_a_smaller_model_is_of_the_same_family(tmp_path: Path) -> None:
    work = shop(tmp_path, image_data())
    given = trained(work, CNN)
    assert work.smaller(given, 0.5)["dense"] == [8]
    assert work.smaller(given, 0.5)["name"] == "cnn"


def test_tags_are_learnt_in_one_family_only(tmp_path: Path) -> None:
    records = [Record(str(index), "Rome fell", ()) for index in range(4)]
    work = shop(tmp_path, Data("token-classification", ["place"], records, records, "f1", 0))
    with pytest.raises(UserError, match="same family"):
        work._table(Teaching([str(APP)]), records)

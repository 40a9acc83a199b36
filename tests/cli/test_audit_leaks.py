"""`lepton audit` on given splits: leaks are named, equal and changed ones, by the ids of both sides."""

import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from lepton.cli.__main__ import main


@pytest.fixture
def photos(tmp_path):
    """Twelve pictures in train and four others in test, which also has a copy and two changed copies."""
    dice = np.random.default_rng(0)
    for split, count in {"train": 12, "test": 4}.items():
        for at in range(count):
            place = tmp_path / split / "ab"[at % 2]
            place.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(dice.integers(0, 255, (7, 7, 3), np.uint8))
            coarse.resize((48, 48), Image.Resampling.BICUBIC).save(place / f"{at}.png")
    first, second, third = (Image.open(tmp_path / "train" / "a" / f"{at}.png") for at in (0, 2, 4))
    first.save(tmp_path / "test" / "a" / "equal.png")
    ImageOps.mirror(second).save(tmp_path / "test" / "a" / "mirrored.png")
    third.crop((2, 3, 46, 47)).save(tmp_path / "test" / "b" / "cut.jpg", quality=85)
    return str(tmp_path)


@pytest.fixture
def questions(tmp_path):
    rows = {
        "train": [("Where is my card?", "card"), ("What does a transfer cost?", "fee"), ("Who are you?", "other")],
        "test": [("where is my  card", "card"), ("How long does it take?", "other"), ("Who are you?", "other")],
    }
    for split, texts in rows.items():
        with (tmp_path / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *texts])
    return str(tmp_path)


def leaks(capsys, *arguments):
    """What the checks that tell of duplicates name."""
    assert main(["audit", *arguments, "--no-models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    return {
        finding["check"]: sorted(record["id"] for record in finding["records"])
        for finding in found
        if finding["check"] in ("split_leaks", "near_duplicates", "exact_duplicates")
    }


def test_pictures(photos, capsys):
    assert leaks(capsys, photos) == {
        "split_leaks": ["test/a/equal.png", "train/a/0.png"],
        "near_duplicates": ["test/a/mirrored.png", "test/b/cut.jpg", "train/a/2.png", "train/a/4.png"],
    }


def test_texts(questions, capsys):
    assert leaks(capsys, questions) == {
        "split_leaks": ["test.csv#2", "train.csv#2"],
        "near_duplicates": ["test.csv#0", "train.csv#0"],
    }


def test_people_are_told_that_it_is_a_leak_and_what_to_do(questions, capsys):
    assert main(["audit", questions, "--no-models"]) == 0
    told = capsys.readouterr().out
    assert "1 test record leaks from train, nearly the same as 1 record there: test.csv#0 and train.csv#0." in told
    assert "Set those in train aside" in told

"""Recipes whose data stand in a database."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from lepton.core.errors import Faults
from lepton.stages import _recipe, _road

pytest.importorskip("sqlalchemy")

RECIPE = """
[app]
name = "reviews"
task = "text-classification"

[data]
source = "sqlite:///shop.db"
format = { name = "sql", query = "select body as text, stars as label from reviews order by id" }
split = { test = 0.2, validation = 0.2 }
label_errors = false

[model]
name = "bag"
"""


def insert(place: Path, count: int) -> None:
    with sqlite3.connect(place / "shop.db") as database:
        database.execute("create table if not exists reviews (id integer primary key, body text, stars text)")
        rows = [(f"{['what a good', 'such a bad'][n % 2]} thing {n}", ["good", "bad"][n % 2]) for n in range(count)]
        database.executemany("insert into reviews (body, stars) values (?, ?)", rows)
    database.close()


def test_a_database_is_read_and_read_again_when_it_changes(recipe: Callable[[str], Path], tmp_path: Path) -> None:
    path = recipe(RECIPE)
    insert(path.parent, 40)
    runs = [_road.run(path, out=tmp_path / "out", until="prepare") for _ in range(2)]
    assert [run.skipped for run in runs] == [[], ["prepare"]]
    assert runs[0].artifacts["prepare"].description["facts"]["records"] == 40
    insert(path.parent, 2)
    again = _road.run(path, out=tmp_path / "out", until="prepare")
    assert again.skipped == []
    assert again.artifacts["prepare"].description["facts"]["records"] == 42


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("sqlite:///shop.db", "postgresql://ann:s3cret@host/shop", "has a password in it"),
        ('name = "sql"', 'name = "sqll"', "'sql'"),
        ("query =", "querry =", "'query'"),
        ('query = "select body as text, stars as label from reviews order by id"', "query = 3", "must be a string"),
    ],
)
def test_faults_of_sources_and_formats_are_named(recipe: Callable[[str], Path], old: str, new: str, word: str) -> None:
    path = recipe(RECIPE.replace(old, new))
    with pytest.raises(Faults) as caught:
        _recipe.load(path)
    assert len(caught.value.faults) == 1
    assert word in caught.value.message
    assert "s3cret" not in caught.value.message

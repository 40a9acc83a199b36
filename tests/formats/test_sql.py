import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from lepton.core.errors import UserError
from lepton.formats import sql
from lepton.formats._read import read

pytest.importorskip("sqlalchemy")

SECRET = "s3cret/w@rd"


def filled(count=4):
    return [(2 * n, f"some text {n}", ["good", "bad"][n % 2]) for n in range(count)]


@pytest.fixture
def database(tmp_path):
    """A SQLite file made of statements: database("create ...", rows) -> path."""

    def make(*statements, rows=()):
        path = tmp_path / "shop.db"
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        if rows:
            connection.executemany("insert into reviews values (?, ?, ?)", rows)
        connection.commit()
        connection.close()
        return path

    return make


REVIEWS = "create table reviews (id integer primary key, body text, stars text)"


def test_a_sqlite_file_is_known_by_its_content_and_read_by_its_key(database):
    path = database(REVIEWS, rows=filled())
    assert sql.sniff(path)
    reading = read(path.name, base=path.parent)
    assert [(record.id, record.raw, record.label) for record in reading.records] == [
        ("reviews#0", "some text 0", "good"),
        ("reviews#2", "some text 1", "bad"),
        ("reviews#4", "some text 2", "good"),
        ("reviews#6", "some text 3", "bad"),
    ]
    assert reading.notes == ["reviews: texts from column 'body', labels from 'stars'"]


def test_an_address_starts_from_the_base_and_a_query_chooses(database):
    path = database(REVIEWS, rows=filled(20))
    query = "select stars as y, body, id from reviews where ':a' = ':a' and body like '%1%' order by id desc"
    reading = read("sqlite:///shop.db", base=path.parent, format={"name": "sql", "query": query}, label="y")
    assert len(reading.records) == 11
    assert reading.records[0].id == "query#0"
    assert (reading.records[0].raw, reading.records[0].label) == ("some text 19", "bad")
    assert reading.records[0].fields == {"id": "38"}


def test_tables_for_splits_and_views(database):
    path = database(
        REVIEWS,
        "create table train (text text, label text)",
        "create table test (text text, label text)",
        "insert into train values ('a', 'x'), ('b', null)",
        "insert into test values ('c', 'x')",
        "create view best as select body, stars from reviews where stars = 'good'",
        rows=filled(),
    )
    reading = sql.read(path)
    assert [(record.id, record.split) for record in reading.records] == [("train#0", "train"), ("test#0", "test")]
    assert [(bad.id, bad.reason) for bad in reading.bad] == [("train#1", "'label' is empty")]
    assert Counter(record.label for record in sql.read(path, table="best", label="stars").records) == {"good": 2}


def test_cells_that_are_no_text(database):
    path = database(
        "create table items (text text, label text, data blob, price real)",
        "insert into items values ('a', 'x', x'00ff', 1.5), (x'00', 'y', null, null)",
    )
    reading = sql.read(path)
    assert reading.records[0].fields == {"price": "1.5"}
    assert [bad.reason for bad in reading.bad] == ["'text' holds bytes, not one value"]


def test_nothing_is_written_and_nothing_made(database):
    path = database(REVIEWS, rows=filled())
    with pytest.raises(UserError):
        sql.read(path, query="delete from reviews")
    assert len(sql.read(path).records) == 4
    with pytest.raises(UserError, match="no database"):
        read("sqlite:///other.db", base=path.parent)
    assert not (path.parent / "other.db").exists()


def test_many_rows_come_in_batches(database):
    path = database(REVIEWS, rows=filled(5000))
    assert [record.raw for record in sql.read(path).records] == [f"some text {n}" for n in range(5000)]


@pytest.mark.parametrize(
    ("source", "options", "word"),
    [
        ("sqlite:///shop.db", {"table": "review"}, "Did you mean 'reviews'"),
        ("sqlite:///shop.db", {"table": "none.reviews"}, "cannot be read"),
        ("sqlite:///shop.db", {"table": "reviews", "query": "select 1"}, "both a table and a query"),
        ("sqlite:///shop.db", {"query": "selec"}, "syntax error"),
        ("sqlite:///shop.db", {"query": "select body, stars from reviews where 0"}, "no rows"),
        ("sqlite:///shop.db", {"query": 3}, "must be a string"),
        ("sqlite:///shop.db", {"rows": 3}, "not understood"),
        ("sqlite://", {}, "no database"),
        ("redis://shop", {}, "Unknown kind of address"),
        (f"postgresql://ann:{SECRET}@[shop", {}, ""),
        (f"postgresql+nodriver://ann:{SECRET}@shop/x", {}, ""),
        (f"mysql://ann:{SECRET}@shop/x?password={SECRET}", {}, "driver"),
        (f"postgresql://ann:{SECRET}@127.0.0.1:1/x?password={SECRET}", {}, ""),
        ("postgresql://ann:${NO_SUCH_VARIABLE}@shop/x", {}, "NO_SUCH_VARIABLE is not set"),
    ],
)
def test_mistakes_are_explained_and_no_password_is_told(database, source, options, word):
    path = database(REVIEWS, rows=filled())
    with pytest.raises(UserError, match=f"(?i){word}") as caught:
        read(source, base=path.parent, format={"name": "sql", **options})
    assert "s3cret" not in caught.value.message
    assert caught.value.__cause__ is None or "s3cret" not in str(caught.value.__cause__)


def test_a_broken_database_is_refused(put):
    path = put("x.db", b"SQLite format 3\0" + bytes(range(256)) * 8)
    with pytest.raises(UserError, match="cannot be read"):
        sql.read(path)


def program(name):
    found = [shutil.which(name), *map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))]
    return next(filter(None, found), None)


@pytest.fixture(scope="module")
def postgres():
    """The address of a PostgreSQL server of its own, with a password; skips where none is installed."""
    initdb, server = program("initdb"), program("postgres")
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed")
    psycopg = pytest.importorskip("psycopg")
    # PostgreSQL does not run as root: there its own user, which Debian makes, runs it.
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    (folder / "password").write_text(SECRET)
    if user:
        shutil.chown(folder, "postgres")
        shutil.chown(folder / "password", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = [initdb, "-D", str(folder / "data"), "-U", "ann", "-A", "scram-sha-256", "--no-sync"]
    subprocess.run(
        [*made, f"--pwfile={folder / 'password'}"], check=True, capture_output=True, timeout=60, cwd="/", **user
    )
    command = [
        server,
        "-D",
        str(folder / "data"),
        "-p",
        str(port),
        "-k",
        str(folder),
        "-c",
        "listen_addresses=127.0.0.1",
    ]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*command, "-F"], stdout=log, stderr=log, cwd="/", **user)
    try:
        connection = connected(psycopg, port)
        with connection, connection.cursor() as cursor:
            cursor.execute("create table reviews (id int primary key, body text, stars text, at date, price numeric)")
            rows = [(n, text, label, "2026-01-02", "1.50") for n, text, label in filled(3000)]
            cursor.executemany("insert into reviews values (%s, %s, %s, %s, %s)", rows)
            cursor.execute("create table tagged (tokens text[], ner_tags text[])")
            cursor.execute("insert into tagged values (array['New','York','is'], array['B-LOC','I-LOC','O'])")
        yield f"127.0.0.1:{port}/postgres"
    finally:
        running.terminate()
        running.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def connected(psycopg, port):
    for _ in range(100):
        try:
            return psycopg.connect(host="127.0.0.1", port=port, user="ann", password=SECRET, dbname="postgres")
        except psycopg.OperationalError as error:
            last = error
            subprocess.run(["sleep", "0.1"], check=True)
    raise last


def asked(place, monkeypatch, **options):
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    source = f"postgresql://ann:${{SHOP_PASSWORD}}@{place}"
    return read(source, base=Path(), format={"name": "sql", **options})


def test_a_table_of_postgresql(postgres, monkeypatch):
    reading = asked(postgres, monkeypatch, table="reviews", label="stars")
    assert [record.raw for record in reading.records] == [f"some text {n}" for n in range(3000)]
    assert reading.records[1].id == "reviews#2"
    assert reading.records[1].fields == {"id": "2", "at": "2026-01-02", "price": "1.50"}


def test_a_query_and_arrays_of_postgresql(postgres, monkeypatch):
    query = "select body as text, stars as label from reviews where body like '%99%' and id::int > 0 order by id"
    assert len(asked(postgres, monkeypatch, query=query).records) == 57
    [record] = asked(postgres, monkeypatch, table="tagged").records
    assert (record.raw, record.label[0][:]) == ("New York is", (0, 8, "LOC"))
    with pytest.raises(UserError, match="read-only|syntax error"):
        asked(postgres, monkeypatch, query="delete from reviews returning body, stars")


def test_a_wrong_password_is_not_told(postgres, monkeypatch):
    with pytest.raises(UserError, match="authentication failed") as caught:
        read(f"postgresql://ann:wr0ng@{postgres}", base=Path())
    assert "wr0ng" not in caught.value.message

import numpy as np
import pytest

from lepton.checks import _index


def directions(count, size=16, seed=0):
    return _index.unit(np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32))


@pytest.mark.parametrize("count", [1, 2, 7, 300, 4000])
def test_the_nearest_of_others_is_found(count):
    vectors = directions(count)
    queries = _index.unit(vectors + 0.05 * directions(count, seed=1))
    hits = _index.Index(vectors, np.arange(count)).hits(queries, np.full(count, -1), least=0.9)
    best = {}
    for query, place, likeness in zip(*hits, strict=True):
        best[query] = max(best.get(query, (0, 0)), (likeness, place))
    right = sum(place == query for query, (_, place) in best.items())
    assert right >= 0.99 * count
    assert np.allclose(hits.likeness, (queries[hits.query] * vectors[hits.place]).sum(axis=1), atol=1e-5)
    assert (hits.likeness >= 0.9).all()


def test_an_owner_does_not_find_its_own():
    vectors = np.repeat(directions(50), 2, axis=0)
    owners = np.arange(100)
    hits = _index.Index(vectors, owners).hits(vectors, owners, least=0.99)
    assert {(one, two) for one, two in zip(hits.query, hits.place, strict=True)} == {(at, at ^ 1) for at in range(100)}


def test_few_of_many_vectors_are_looked_at(monkeypatch):
    vectors = directions(20_000)
    index = _index.Index(vectors, np.arange(20_000))
    looked_at = []
    within = index._within
    monkeypatch.setattr(index, "_within", lambda cell, *rest: looked_at.append(cell) or within(cell, *rest))
    index.hits(vectors[:1], np.array([0]), least=0.5)
    assert len(looked_at) / len(index._centres) < 0.05


def test_the_likeliest_partners_once_each():
    first, second = np.array([1, 1, 1, 2, 1]), np.array([5, 6, 5, 5, 7])
    likeness = np.array([0.7, 0.8, 0.9, 0.1, 0.2])
    assert _index.likeliest(first, second, likeness, most=2).tolist() == [2, 1, 3]


def test_a_space_evens_out_what_differs_much_and_what_differs_little():
    rows = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32) * [3, 1, 0.1]
    made = _index.space(rows, np.eye(3), size=2, floor=0.0)
    spread = (rows @ made.components).std(axis=0)
    assert spread == pytest.approx([1, 1], rel=0.05)
    assert made.first(1).components.shape == (3, 1)


def test_of_few_rows_the_prior_says_more():
    prior = np.diag([4.0, 1.0])
    made = _index.space(np.array([[1.0, 0.0]], np.float32), prior, size=2, floor=0.0)
    assert np.abs(np.diag(made.components)) == pytest.approx([0.5, 1], rel=0.02)

"""The matrix of a vector setting against the same done by hand. Needs only numpy."""

from __future__ import annotations

from uuid import UUID

import numpy as np

from finetrieve.argilla_server.embedded.vectors import Matrix

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def test_the_nearest_come_first_with_their_cosine() -> None:
    matrix = Matrix(2)
    matrix.put([(A, [3.0, 0.0]), (B, [1.0, 1.0]), (C, [0.0, 5.0])])
    found = matrix.nearest([2.0, 0.0], 10)
    assert [record for record, _ in found] == [A, B, C]
    np.testing.assert_allclose([cosine for _, cosine in found], [1.0, 0.5**0.5, 0.0], atol=1e-6)
    assert [record for record, _ in matrix.nearest([2.0, 0.0], 1, without=A)] == [B]
    assert [record for record, _ in matrix.nearest([2.0, 0.0], 10, among={B, C, UUID(int=9)})] == [B, C]
    assert matrix.nearest([2.0, 0.0], 10, among=set()) == []


def test_a_zero_vector_is_near_nothing() -> None:
    matrix = Matrix(2)
    matrix.put([(A, [0.0, 0.0])])
    assert matrix.nearest([1.0, 0.0], 1) == [(A, 0.0)]
    assert matrix.nearest([0.0, 0.0], 1) == [(A, 0.0)]


def test_it_is_the_same_after_many_changes_in_place_as_made_anew() -> None:
    draw = np.random.default_rng(1)
    matrix, known = Matrix(8), {}
    for _ in range(40):
        items = {UUID(int=int(number)): draw.normal(size=8).tolist() for number in draw.integers(0, 3000, size=100)}
        gone = [UUID(int=int(number)) for number in draw.integers(0, 3000, size=30)]
        matrix.put(items.items())
        matrix.remove(gone)
        known = {record: value for record, value in {**known, **items}.items() if record not in gone}
    fresh = Matrix(8)
    fresh.put(known.items())
    assert matrix.ids() == fresh.ids() == known.keys()
    query = draw.normal(size=8).tolist()
    assert dict(matrix.nearest(query, 50)) == dict(fresh.nearest(query, 50))


def test_what_was_written_meanwhile_is_newer_than_what_is_read() -> None:
    matrix = Matrix(2)
    matrix.put([(A, [1.0, 0.0])])
    matrix.put([(A, [0.0, 1.0]), (B, [0.0, 1.0])], replace=False)
    assert dict(matrix.nearest([1.0, 0.0], 2)) == {A: 1.0, B: 0.0}

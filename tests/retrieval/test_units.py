from __future__ import annotations

import numpy as np
import pytest

from finetrieve.retrieval.fusion import FUSED, Fusion, Parts
from finetrieve.retrieval.units import WHOLE_SHARE, Units

UNITS = Units.of([["b"], ["a"], ["b"], ["c"]])  # c: chunk 3; b: chunks 0 and 2; a: chunk 1
SCORES = np.array([[0.1, 0.5, 0.7, 0.2]], np.float32)


def test_units_stand_in_descending_order_of_their_ids_each_with_its_chunks() -> None:
    assert UNITS.ids == ["c", "b", "a"]
    assert [UNITS.chunks_of(unit).tolist() for unit in range(3)] == [[3], [0, 2], [1]]


def test_a_unit_scores_by_its_best_chunk_and_where_parts_are_added_up_a_little_by_all() -> None:
    assert UNITS.best(SCORES)[0] == pytest.approx([0.2, 0.7, 0.5])
    assert UNITS.whole(SCORES)[0] == pytest.approx([0.2, (1 - WHOLE_SHARE) * 0.7 + WHOLE_SHARE * 0.4, 0.5])


def test_one_part_alone_and_words_go_by_the_best_chunk() -> None:
    by_chunk = Parts(["q"], SCORES, SCORES, SCORES)
    alone = UNITS.parts(by_chunk, Fusion(dense=0, lexical=0))
    assert alone.late is not None
    assert alone.late[0] == pytest.approx(UNITS.best(SCORES)[0])
    several = UNITS.parts(by_chunk, FUSED)
    assert several.late is not None
    assert several.lexical[0] == pytest.approx(UNITS.best(SCORES)[0])
    assert several.dense[0] == pytest.approx(UNITS.whole(SCORES)[0])
    assert several.late[0] == pytest.approx(UNITS.whole(SCORES)[0])


def test_some_units_number_their_chunks_anew() -> None:
    wanted = np.array([2, 1])
    rows = np.concatenate([UNITS.chunks_of(unit) for unit in wanted])
    some = UNITS.some(wanted)
    assert some.ids == ["a", "b"]
    assert some.whole(SCORES[:, rows])[0] == pytest.approx(UNITS.whole(SCORES)[0][wanted])
    assert UNITS.best_chunks(SCORES, np.array([[1, 0]])).tolist() == [[2, 3]]

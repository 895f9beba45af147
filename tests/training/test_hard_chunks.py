"""Hard chunks: the nearest first, without near-duplicates and without those of the same section."""

from __future__ import annotations

import numpy as np

from finetrieve.training.hard_chunks import near_chunks


def unit(*angles: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)] for angle in np.radians(angles)], np.float32)


def test_the_most_alike_comes_first() -> None:
    assert near_chunks(unit(0, 60, 25, 90), list("abcd"))[0] == [2, 1, 3]


def test_a_near_duplicate_may_answer_as_well_and_is_left_out() -> None:
    assert near_chunks(unit(0, 5, 40), list("abc"))[0] == [2]


def test_chunks_of_one_section_are_left_out_those_of_another_section_of_the_document_are_not() -> None:
    sections = [("page", "Setup"), ("page", "Setup"), ("page", "Use"), ("other", "Setup")]
    assert near_chunks(unit(0, 30, 40, 50), sections)[0] == [2, 3]

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from finetrieve.annotation.enrichment import enrich, vector_table, vectors_by_id
from finetrieve.core.arrays import FloatMatrix
from tests.annotation.rows import chunk, triplet

ANGLES = {"chunk": 0.0, "near": 30.0, "far": 90.0, "negative": 60.0}


class Compass:
    """Embeds a text as a direction in the plane, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def embed(self, texts: Sequence[str], role: str) -> FloatMatrix:
        self.asked.append((role, list(texts)))
        angles = np.radians([next(angle for word, angle in ANGLES.items() if text.endswith(word)) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32).reshape(len(texts), 2)


def test_every_cosine_is_that_of_its_own_two_texts() -> None:
    compass = Compass()
    rows = [triplet("a", "near", negative_query="negative"), triplet("b", "far")]
    found = enrich(rows, [chunk(text="chunk"), chunk("c2", "unasked")], ["train", "dev"], compass)
    facts = {fact.id: fact for fact in found.facts}
    assert (facts["a"].split, facts["b"].split) == ("train", "dev")
    assert facts["a"].chunk_similarity == pytest.approx(0.8660, abs=1e-4)  # cos 30
    assert facts["a"].negative_chunk_similarity == pytest.approx(0.5, abs=1e-4)  # cos 60
    assert facts["a"].negative_query_similarity == pytest.approx(0.8660, abs=1e-4)  # cos 30
    assert facts["b"].chunk_similarity == pytest.approx(0.0, abs=1e-4)
    assert facts["b"].negative_chunk_similarity is None
    # The chunk is embedded once for its two queries, with its place in front; one that nobody asks about is not.
    assert compass.asked == [("document", ["The pump > Repair\nchunk"]), ("query", ["near", "far", "negative"])]
    assert vectors_by_id(found.chunk_vectors).keys() == {"c1"}
    assert vectors_by_id(found.query_vectors)["b"].tolist() == pytest.approx([0.0, 1.0], abs=1e-6)


def test_what_needs_a_person_most_comes_first() -> None:
    rows = [triplet("a", "near", round_trip_rank=1), triplet("b", "far", round_trip_rank=19)]
    assert [fact.id for fact in enrich(rows, [chunk(text="chunk")], ["train", "train"], Compass()).facts] == ["b", "a"]


def test_no_queries_are_no_trouble() -> None:
    found = enrich([], [chunk(text="chunk")], [], Compass())
    assert found.facts == [] and found.query_vectors.num_rows == 0


def test_vectors_survive_their_table() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert {key: value.tolist() for key, value in vectors_by_id(vector_table(["a", "b", "c"], matrix)).items()} == {
        "a": [0, 1],
        "b": [2, 3],
        "c": [4, 5],
    }

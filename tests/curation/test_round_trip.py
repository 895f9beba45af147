"""The hybrid ranker of the filters that search, with the real embedded model."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk
from finetrieve.curation.round_trip import HybridRanker
from finetrieve.retrieval import vector_cache

TEXTS = {
    "keys": "Rotate the signing key in the admin console. The old key stays valid for one hour.",
    "backup": "Backups run every night and are kept for thirty days in a second region.",
    "users": "Invite people by e-mail. An invitation expires after a week.",
}
TOWNS = ["Arlen", "Borvik", "Castra", "Dunmore", "Elsing", "Fornby", "Gartow", "Hexley", "Ilmen", "Jarvo", "Kessel", "Lodrin"]


def test_the_hybrid_finds_a_chunk_by_its_words_and_by_its_meaning() -> None:
    chunks = [Chunk(name, name, "", "", "", text, 20, 0) for name, text in TEXTS.items()]
    ranker = HybridRanker(Corpus.from_rows(chunks), "embedded")
    queries = ["signing key", "how long is my data saved after a crash", "signing key"]
    assert ranker.ranks(queries, ["keys", "backup", "users"])[:2] == [1, 1]
    assert ranker.ranks(queries, ["keys", "backup", "users"])[2] > 1


def test_words_and_tokens_are_surer_of_a_name_that_the_page_only_mentions_and_the_vector_knows_its_title() -> None:
    lives_in = dict(zip(TOWNS, TOWNS[3:] + TOWNS[:3], strict=True))
    about = {
        town: f"The pump station in {town} is serviced twice a year. The crew drains the tank, cleans the filter and tests the "
        f"valves before the winter. Keys are kept by the foreman, who lives in {home}."
        for town, home in lives_in.items()
    }
    chunks = [Chunk(name, name, "", "", "", text, 20, 0) for name, text in {**TEXTS, **about}.items()]
    ranker = HybridRanker(Corpus.from_rows(chunks), "embedded")
    mentioned = ranker.confidences([f"foreman who lives in {home}" for home in lives_in.values()], TOWNS)
    assert all(search > vector for vector, search in mentioned)
    assert sum(search - vector for vector, search in mentioned) / len(TOWNS) > 0.05
    assert all(vector > 0.5 for vector, _ in ranker.confidences([f"who keeps the keys of {town}" for town in TOWNS], TOWNS))
    [right, wrong] = ranker.confidences(["how do I invite people by e-mail"] * 2, ["users", "Arlen"])
    assert min(right) > 0.9 and max(wrong) < 0.1


def test_confidences_are_the_same_whatever_else_is_asked() -> None:
    chunks = [Chunk(name, name, "", "", "", text, 20, 0) for name, text in TEXTS.items()]
    ranker = HybridRanker(Corpus.from_rows(chunks), "embedded")
    queries, own = ["signing key", "how long is my data saved", "a guest"] * 100, ["keys", "backup", "users"] * 100
    many = ranker.confidences(queries, own)
    assert len(many) == 300  # more than are scored at once
    for one, (query, chunk_id) in zip(many[-3:], zip(queries, own, strict=True), strict=False):
        assert ranker.confidences([query], [chunk_id])[0] == pytest.approx(one, abs=1e-3)


def test_the_pass_of_the_round_trip_makes_what_the_confidences_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    corpus = Corpus.from_rows(Chunk(name, name, "", "", "", text, 20, 0) for name, text in TEXTS.items())
    HybridRanker(corpus, "embedded").ranks(["a guest of ours", "signing key"], ["users", "keys"])

    def load_encoder(*_: object) -> None:
        raise AssertionError("the model was loaded once more")

    monkeypatch.setattr(vector_cache, "load_encoder", load_encoder)
    assert len(HybridRanker(corpus, "embedded").confidences(["signing key", "a guest of ours"], ["keys", "users"])) == 2
    with pytest.raises(AssertionError, match="once more"):
        HybridRanker(corpus, "embedded").confidences(["a new query"], ["keys"])

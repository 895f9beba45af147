"""The hybrid ranker of the round trip, with the real embedded model."""

from __future__ import annotations

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk
from finetrieve.curation.round_trip import HybridRanker

TEXTS = {
    "keys": "Rotate the signing key in the admin console. The old key stays valid for one hour.",
    "backup": "Backups run every night and are kept for thirty days in a second region.",
    "users": "Invite people by e-mail. An invitation expires after a week.",
}


def test_the_hybrid_finds_a_chunk_by_its_words_and_by_its_meaning() -> None:
    chunks = [Chunk(name, name, "", "", "", text, 20, 0) for name, text in TEXTS.items()]
    ranker = HybridRanker(Corpus.from_rows(chunks), "embedded")
    queries = ["signing key", "how long is my data saved after a crash", "signing key"]
    assert ranker.ranks(queries, ["keys", "backup", "users"])[:2] == [1, 1]
    assert ranker.ranks(queries, ["keys", "backup", "users"])[2] > 1

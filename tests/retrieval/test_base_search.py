"""The base model's search that filters and teachers share."""

from __future__ import annotations

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk
from finetrieve.retrieval.base_search import QUERY_BLOCK, BaseSearch

TEXTS = ["Rotate the signing key in the console.", "Backups run every night.", "Invite people by e-mail."]


def test_the_blocks_are_all_queries_in_their_order_ready_to_be_compared_with_every_chunk() -> None:
    corpus = Corpus.from_rows(Chunk(f"chunk-{n}", "page", "", "", "", text, 10, n) for n, text in enumerate(TEXTS))
    search, queries = BaseSearch(corpus, "embedded"), ["a new key", "data saved at night", "guests"] * 100
    blocks = list(search.blocks(queries))
    assert [block for block, _ in blocks] == [slice(0, QUERY_BLOCK), slice(QUERY_BLOCK, 300)]
    assert [text for _, prepared in blocks for text in prepared.texts] == queries
    parts = [search.index.parts(prepared) for _, prepared in blocks]
    assert [row for part in parts if part.late is not None for row in part.late.argmax(axis=1)] == [0, 1, 2] * 100
    assert search.index.parts(blocks[0][1], with_late=False).late is None

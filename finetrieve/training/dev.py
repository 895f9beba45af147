"""The dev queries, scored: they choose the checkpoint and the averaging."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from finetrieve.core.rows import OWN, Chunk, Pair, embedded_text
from finetrieve.core.text import normalise_query
from finetrieve.evaluation.metrics import HEADLINE, METRICS, Relevance, score_queries

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

HUMAN_QUERIES = 20
"""Dev questions of people, or of pairs that somebody had, from which on they choose alone."""


@dataclass(frozen=True)
class DevSet:
    """Queries with the chunks that answer them, among the chunks that they are searched in."""

    queries: list[str]
    relevant: list[list[int]]
    """Per query, the rows of `texts` that answer it."""
    texts: list[str]
    n_corpus: int
    """Chunks of the whole corpus, of which `texts` may be a sample."""
    asked_by: str = "generated"
    """Whose the queries are: `human`, `own` (pairs that somebody had) or `generated`."""

    @property
    def by_people(self) -> bool:
        """Whether the queries were not made like those of the training, and are enough to choose by."""
        return self.asked_by != "generated" and len(self.queries) >= HUMAN_QUERIES

    def ndcg(self, encoder: SentenceTransformer, late: bool = False) -> float:
        """Returns the mean nDCG@10 of the queries under the model, which is left in the mode in which it came.

        With `late` it is the mean of both ways of searching, by the single vector and by late interaction.
        """
        scores = self.ndcg_by_way(encoder, late)
        return sum(scores.values()) / len(scores)

    def ndcg_by_way(self, encoder: SentenceTransformer, late: bool = False) -> dict[str, float]:
        """Returns the mean nDCG@10 of the queries by `dense`, and with `late` by `late` too."""
        from finetrieve.retrieval.encoder import encode
        from finetrieve.retrieval.late_interaction import TokenIdf, encode_with_tokens, late_scores

        was_training = encoder.training
        if late:
            chunks, tokens = encode_with_tokens(encoder, self.texts, precision="auto")
            queries, query_tokens = encode_with_tokens(encoder, self.queries, precision="auto", role="query")
            by_tokens = late_scores(query_tokens, tokens, TokenIdf(tokens).weights(query_tokens.ids), "auto")
        else:
            chunks = encode(encoder, self.texts, precision="auto")  # (n_chunks, dim)
            queries = encode(encoder, self.queries, precision="auto", role="query")  # (n_queries, dim)
        encoder.train(was_training)
        found = {"dense": mean_ndcg(queries @ chunks.T, self.relevant)}
        return found | {"late": mean_ndcg(by_tokens, self.relevant)} if late else found


def dev_set(pairs: Sequence[Pair], chunks: Sequence[Chunk], max_chunks: int, seed: int) -> DevSet | None:
    """Returns the dev pairs as a set of queries, or None when there are none.

    The corpus is all chunks, or when there are more than `max_chunks`, those that answer a dev query and a random sample of
    the others: scores are then higher than over the whole corpus, and compare only with one another.
    """
    answers = defaultdict[str, set[str]](set)
    wording = dict[str, str]()
    choosing, asked_by = _choosing(pairs)
    for pair in choosing:
        key = normalise_query(pair.query)
        wording.setdefault(key, pair.query)
        answers[key].add(pair.chunk_id)
    if not answers:
        return None
    keys = _sample(sorted(answers), max_chunks, seed)
    corpus = _searched(chunks, {chunk_id for key in keys for chunk_id in answers[key]}, max_chunks, seed)
    row_of = {chunk.id: row for row, chunk in enumerate(corpus)}
    relevant = [sorted(row_of[chunk_id] for chunk_id in answers[key]) for key in keys]
    texts = [embedded_text(chunk) for chunk in corpus]
    return DevSet([wording[key] for key in keys], relevant, texts, len(chunks), asked_by)


def _choosing(pairs: Sequence[Pair]) -> tuple[list[Pair], str]:
    """Returns the dev pairs that choose, and whose they are: people's alone where there are enough of them, else those that
    somebody had, since generated ones overrate the training.
    """
    dev = [pair for pair in pairs if pair.split == "dev"]
    for asked_by in ("human", OWN):
        given = [pair for pair in dev if pair.provenance == asked_by]
        if len({pair.query for pair in given}) >= HUMAN_QUERIES:
            return given, asked_by
    return dev, OWN if dev and all(pair.provenance == OWN for pair in dev) else "generated"


def _sample(names: list[str], most: int, seed: int) -> list[str]:
    return names if len(names) <= most else sorted(random.Random(seed).sample(names, most))


def _searched(chunks: Sequence[Chunk], answering: set[str], max_chunks: int, seed: int) -> list[Chunk]:
    others = [chunk.id for chunk in chunks if chunk.id not in answering]
    chosen = answering | set(_sample(others, max(0, max_chunks - len(answering)), seed))
    return [chunk for chunk in chunks if chunk.id in chosen]


def mean_ndcg(scores: npt.NDArray[np.float32], relevant: Sequence[Sequence[int]]) -> float:
    """Returns the mean nDCG@10 for scores `(n_queries, n_chunks)` and each query's relevant columns; ties earn nothing."""
    pairs = [(query, column) for query, columns in enumerate(relevant) for column in columns]
    query, unit = np.array(pairs, np.int64).reshape(-1, 2).T
    judged = Relevance(len(relevant), query, unit, np.ones(len(pairs)))
    ndcg = score_queries(scores, judged, ties_lose=True)[:, METRICS.index(HEADLINE)]
    return float(sum(ndcg.tolist()) / len(relevant))


def nearest_within(scores: Mapping[float, float], tolerance: float, wanted: float) -> float:
    """Returns the key nearest to `wanted` whose score is within `tolerance` of the best score; of two as near, the larger."""
    best = max(scores.values())
    alike = (key for key, score in scores.items() if score >= best - tolerance)
    return min(alike, key=lambda key: (abs(key - wanted), -key))

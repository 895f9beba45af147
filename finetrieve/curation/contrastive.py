"""The contrastive filter: keeps the queries from which the model can learn, and a few of those that it answers already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import Field

from finetrieve.core.rows import GeneratedQuery
from finetrieve.curation.filters import FilterInputs, QueryFilter


class ContrastiveFilter(QueryFilter):
    """Drops queries that the base model's vector answers already, and those that no search answers clearly.

    The counterpart of CodecLM's contrastive filter (Wang et al., 2404.05875). There an instruction is kept if a strong LLM
    answers it much better than the LLM to be trained. Here the model to be trained is the base model, searching by its single
    vector, and the strong one needs neither training nor an LLM: token vectors, single vector and BM25 added up. How sure a
    search is of a query's chunk is the chunk's share in a softmax over the nearest chunks. A question of several always stays.
    """

    description: ClassVar[str] = "answered by the vector alone already, or by no search clearly: nothing to learn (CodecLM)"

    name: Literal["contrastive"] = "contrastive"
    least_gap: float = Field(default=0.1, ge=0, le=1)
    """A query is kept if the fused search is surer of its chunk than the vector alone by at least so much; both are 0..1."""
    easy_from: float = Field(default=0.5, ge=0, le=1)
    """A query without that gap is easy if the vector alone is at least so sure; otherwise no search finds its chunk clearly."""
    easy_share: float = Field(default=0.2, ge=0, le=1)
    """Of the easy queries that are kept all the same, so that the model does not see hard ones only."""
    seed: int = Field(default=13, ge=0)
    """Of which easy queries are kept; the same query is kept whatever else there is."""

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:
        """Returns the queries without the gap, but for some easy ones."""
        rows = [(row.id, row.query, row.chunk_id) for row in queries if len(row.chunk_ids) == 1]
        if not rows:
            return {}
        identities, texts, chunk_ids = zip(*rows, strict=True)
        reasons = {}
        for identity, query, (vector, search) in zip(
            identities, texts, given.make_ranker().confidences(texts, chunk_ids), strict=True
        ):
            if search - vector >= self.least_gap:
                continue
            if vector < self.easy_from:
                why = f"surer by {self.least_gap:g} wanted"
            elif self._is_drawn(query):
                continue
            else:
                why = "easy"
            reasons[identity] = f"the vector alone is {vector:.2f} sure of its chunk, the fused search {search:.2f}: {why}"
        return reasons

    def _is_drawn(self, query: str) -> bool:
        """Whether an easy query is among those that are kept."""
        digest = hashlib.blake2b(f"{self.seed}\x1f{query}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.easy_share * 2**64

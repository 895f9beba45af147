"""The arms: what is compared in every table."""

from __future__ import annotations

from typing import NamedTuple

LEXICAL = "bm25"


class Arm(NamedTuple):
    """One way to retrieve: a source of scores, or the fusion of two."""

    description: str
    scores: str
    """`bm25`, the name of a model, or `bm25+MODEL`."""

    @property
    def model(self) -> str | None:
        """The model whose vectors it needs."""
        return next((part for part in self.scores.split("+") if part != LEXICAL), None)

    @property
    def is_hybrid(self) -> bool:
        """Whether it adds up dense and lexical scores."""
        return "+" in self.scores

    @property
    def is_dense(self) -> bool:
        """Whether it searches by vectors alone."""
        return self.model is not None and not self.is_hybrid


ARMS: dict[str, Arm] = {
    "bm25": Arm("BM25 over English stems: the baseline that needs no model", "bm25"),
    "base": Arm("the base model's vectors", "base"),
    "finetuned": Arm("the fine-tuned model's vectors", "finetuned"),
    "hybrid_base": Arm("BM25 and the base model, fused as dev chose", "bm25+base"),
    "hybrid_finetuned": Arm("BM25 and the fine-tuned model, fused as dev chose", "bm25+finetuned"),
}

COMPARISONS: tuple[tuple[str, str], ...] = (
    ("finetuned", "base"),
    ("hybrid_base", "bm25"),
    ("hybrid_finetuned", "bm25"),
    ("finetuned", "bm25"),
    ("hybrid_finetuned", "finetuned"),
    ("hybrid_finetuned", "hybrid_base"),
)
"""(arm, against): the questions that a paired bootstrap answers, the main one first."""
COMPARED_METRICS = ("ndcg@10", "mrr@10", "recall@10")

"""Evaluation sets made of pairs: the generated queries of a split, and pairs of one's own that were kept to evaluate on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finetrieve.core.rows import HELD_OUT, Chunk, DuplicateChunk, Pair
from finetrieve.core.text import normalise_query
from finetrieve.evaluation.beir_files import Qrels
from finetrieve.evaluation.eval_sets import EvalSet, other_documents
from finetrieve.evaluation.settings import GENERATED


def generated_eval_set(pairs: Sequence[Pair], chunks: Sequence[Chunk], split: str) -> EvalSet | None:
    """Returns the set of the queries of a split, but for those that are a set of their own, or None when there are none.

    A query that was written for several chunks, on whatever side of the split, has all of them as its answers.
    """
    answers: Qrels = {}
    texts: dict[str, str] = {}
    for pair in pairs:
        key = normalise_query(pair.query)
        answers.setdefault(key, {})[pair.chunk_id] = 1
        if pair.split == split and pair.provenance != HELD_OUT:
            texts.setdefault(key, pair.query)
    if not texts:
        return None
    ids = {key: f"{split}-{number}" for number, key in enumerate(texts)}
    return EvalSet(
        name=GENERATED,
        kind="generated",
        queries={ids[key]: text for key, text in texts.items()},
        qrels={ids[key]: answers[key] for key in texts},
        unit="chunk",
        chunks=list(chunks),
        n_documents=len({chunk.doc_id for chunk in chunks}),
    )


def held_out_eval_sets(
    pairs: Sequence[Pair], chunks: Sequence[Chunk], duplicates: Iterable[DuplicateChunk], n_documents: int
) -> list[EvalSet]:
    """Returns the sets of pairs of one's own that were kept to evaluate on, by name; a document answers, by its best chunk.

    Args:
        pairs: Of all sides.
        chunks: The corpus.
        duplicates: Chunks that the corpus left out.
        n_documents: Of the corpus.
    """
    document_of = {chunk.id: chunk.doc_id for chunk in chunks}
    found: dict[str, tuple[dict[str, str], Qrels]] = {}
    for pair in pairs:
        if pair.provenance == HELD_OUT:
            queries, qrels = found.setdefault(pair.style, ({}, {}))
            key = normalise_query(pair.query)
            queries.setdefault(key, pair.query)
            qrels.setdefault(key, {})[document_of[pair.chunk_id]] = 1
    others = other_documents(duplicates)
    return [
        EvalSet(name, "human", queries, qrels, "document", list(chunks), n_documents, others)
        for name, (queries, qrels) in sorted(found.items())
    ]

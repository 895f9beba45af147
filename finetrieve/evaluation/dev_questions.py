"""The dev questions of human evaluation sets, as pairs that choose the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable

from finetrieve.core.rows import ChunkPlace, Pair
from finetrieve.evaluation.eval_sets import read_dev_judgements, read_questions
from finetrieve.evaluation.settings import EvalSetSettings


def human_dev_pairs(eval_sets: list[EvalSetSettings], chunks: Iterable[ChunkPlace]) -> list[Pair]:
    """Returns the sets' own dev questions with every chunk of the documents that answer them.

    They choose the checkpoint and the averaging better than generated queries can. A set that asks about other documents than
    the pipeline's has none.
    """
    of_document: dict[str, list[str]] = {}
    for chunk in chunks:
        of_document.setdefault(chunk.doc_id, []).append(chunk.id)
    pairs = []
    for settings in eval_sets:
        questions = read_questions(settings)
        for query_id, judged in read_dev_judgements(settings, of_document).items():
            answers = [chunk_id for doc_id, score in judged.items() if score > 0 for chunk_id in of_document.get(doc_id, [])]
            pairs += [Pair(questions[query_id], chunk_id, "dev", "human", "human") for chunk_id in answers]
    return pairs

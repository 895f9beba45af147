"""Lists that a cross-encoder puts in order, learnt by the joint loss: a query's own chunk and the nearest others.

A cross-encoder reads each query together with each chunk, far too slow for all pairs of a step. It scores the lists once, before
the training; the model then learns the softmax of its scores (Hofstätter et al. 2020, https://arxiv.org/abs/2010.02666).
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from finetrieve.core.arrays import softmax
from finetrieve.core.corpus import Corpus
from finetrieve.core.paths import user_cache
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Chunk, Pair, RankedChunk, embedded_text
from finetrieve.own_data.teacher import Teacher
from finetrieve.retrieval.base_model import is_cross_encoder, model_fingerprint
from finetrieve.retrieval.reranker import CrossEncoderReranker
from finetrieve.retrieval.vector_cache import KeptVectors
from finetrieve.training.losses import LOSSES

if TYPE_CHECKING:
    from finetrieve.training.settings import TrainingSettings

PAIRS_AT_ONCE = 128
"""Scored and kept together: what an interrupt costs."""

TextPair = tuple[str, str]


def has_teacher_lists(settings: TrainingSettings) -> bool:
    """Returns whether a cross-encoder teaches this training.

    Raises:
        InputError: The teacher cannot be found.
    """
    if settings.teacher is None or not settings.distil or not LOSSES.get(settings.loss).uses_lists:
        return False
    return is_cross_encoder(settings.teacher)


def teacher_lists(
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    most: int,
    seed: int,
    on_progress: Progress | None = None,
) -> list[RankedChunk]:
    """Returns the lists: the chunks of a query with the shares that the teacher gives them, which sum up to 1.

    Args:
        pairs: Those that are trained on.
        chunks: The corpus.
        settings: `teacher` names the cross-encoder, `teacher_chunks` says how many chunks of others a list has.
        base_model: Finds those: late interaction, the single vector and BM25 together.
        most: Lists at most: more queries than the steps can learn are not scored.
        seed: Draws the queries where there are more.
        on_progress: Told (pairs scored, pairs in all).

    Raises:
        InputError: The teacher cannot be loaded, or gives more than one number for a pair.
    """
    own = defaultdict[str, dict[int, None]](dict)  # query -> rows of its own chunks, in order
    row_of = {chunk.id: row for row, chunk in enumerate(chunks)}
    for pair in pairs:
        own[pair.query][row_of[pair.chunk_id]] = None
    queries = sorted(own)
    if len(queries) > most:
        queries = sorted(random.Random(f"teacher/{seed}").sample(queries, most))
    texts = [embedded_text(chunk) for chunk in chunks]
    found = _with_nearest(queries, {query: list(own[query]) for query in queries}, chunks, texts, base_model, settings)
    wanted = [(query, texts[row]) for query, rows in found.items() for row in rows]
    scores = teacher_scores(str(settings.teacher), wanted, on_progress)
    lists = list[RankedChunk]()
    for query, rows in found.items():
        shares = softmax(np.array([scores[query, texts[row]] for row in rows], np.float32))
        lists += [
            RankedChunk(query, chunks[row].id, float(share), f"teacher {settings.teacher}", "cross-encoder")
            for row, share in zip(rows, shares, strict=True)
        ]
    return lists


def _with_nearest(
    queries: Sequence[str],
    own: Mapping[str, Sequence[int]],
    chunks: Sequence[Chunk],
    texts: Sequence[str],
    base_model: str,
    settings: TrainingSettings,
) -> dict[str, list[int]]:
    """Returns query -> rows of its own chunks and of the nearest others, no text twice; none where there is no other."""
    found = dict[str, list[int]]()
    for start, block in Teacher(Corpus.from_rows(chunks), base_model).scores(queries):
        for query, scores in zip(queries[start : start + len(block)], block, strict=True):
            rows = {texts[row]: row for row in own[query]}
            wanted = len(rows) + settings.teacher_chunks
            for row in np.argsort(-scores, kind="stable").tolist():
                if len(rows) >= wanted:
                    break
                rows.setdefault(texts[row], row)
            if len(rows) > 1:
                found[query] = list(rows.values())
    return found


def teacher_scores(teacher: str, pairs: Sequence[TextPair], on_progress: Progress | None = None) -> dict[TextPair, float]:
    """Returns (query, text) -> the cross-encoder's logit; those that it gave before, in this or another training, are read.

    Args:
        teacher: A directory or a Hub id.
        pairs: What to score.
        on_progress: Told (pairs scored, pairs in all), for those that are not kept.

    Raises:
        InputError: The cross-encoder cannot be loaded, or gives more than one number for a pair.
    """
    made_by = [model_fingerprint(teacher), *(metadata.version(name) for name in ("sentence-transformers", "torch"))]
    name = hashlib.sha256("\0".join(made_by).encode()).hexdigest()[:32]
    kept = KeptVectors(user_cache() / "finetrieve" / "teacher_scores", name)
    keys = {pair: hashlib.sha256("\0".join(pair).encode("utf-8", "surrogatepass")).digest() for pair in pairs}
    blobs = kept.get(list(keys.values()))
    found = {pair: float(np.frombuffer(blobs[key], "<f4")[0]) for pair, key in keys.items() if key in blobs}
    # Texts of like length share a batch.
    missing = sorted((pair for pair in keys if pair not in found), key=lambda pair: -len(pair[1]))
    model = CrossEncoderReranker(teacher, logits=True)
    for start in range(0, len(missing), PAIRS_AT_ONCE):
        part = missing[start : start + PAIRS_AT_ONCE]
        made = dict(zip(part, model.scores(part), strict=True))
        kept.put({keys[pair]: score.astype("<f4").tobytes() for pair, score in made.items()})
        found |= {pair: float(score) for pair, score in made.items()}
        if on_progress:
            on_progress(start + len(part), len(missing))
    return found

"""Topics of a corpus: clusters of its chunks' vectors, each labelled by the terms that tell it from the others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from finetrieve.core.errors import InputError
from finetrieve.core.languages import stop_words
from finetrieve.core.text import FRAME_WORDS
from finetrieve.generation.chunk_graph.terms import candidates

_FITTED = 20_000
"""Chunks, spread over all, that decide where the clusters lie; every chunk goes to the nearest."""
_STARTS = 4
_SEPARATOR = " / "
"""Between the terms of a label; a comma parts the kinds of a query's style."""
_LOOKED_AT = 50
"""Terms of a cluster, the heaviest, of which its label is made."""


def find_topics(
    texts: Sequence[str], vectors: npt.NDArray[np.float32], languages: Sequence[str], number: int, terms: int, seed: int
) -> list[str]:
    """Returns the topic of each text, by its label: as BERTopic finds and labels them (Grootendorst, 2203.05794).

    Args:
        texts: The corpus.
        vectors: Their unit vectors `(n_texts, dim)`.
        languages: Those of the corpus, whose function words are no terms.
        number: Of topics.
        terms: Of a label.
        seed: Of the clusters; the same seed and vectors give the same topics.

    Raises:
        InputError: There are fewer different texts than topics.
    """
    clusters = _clusters(vectors, number, seed)
    stops = FRAME_WORDS.union(*(stop_words(language) for language in languages))
    labels = _labels(texts, clusters, number, terms, stops)
    return [labels[cluster] for cluster in clusters]


def _clusters(vectors: npt.NDArray[np.float32], number: int, seed: int) -> list[int]:
    """Returns the cluster of each vector, from 0."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    fitted = vectors[:: max(1, -(-len(vectors) // _FITTED))]
    different = len({vector.tobytes() for vector in fitted})
    if different < number:
        raise InputError(
            f"generation.topics: {number} topics are asked for, and the corpus has {different} different "
            f"chunk{'s' * (different != 1)}. Lower topics, or give more documents."
        )
    with threadpool_limits(1):  # threads add up in the order in which they end, and the topics would differ
        model = KMeans(number, n_init=_STARTS, random_state=seed).fit(fitted)
        clusters: list[int] = model.predict(vectors).tolist()
    return clusters


def _labels(texts: Sequence[str], clusters: Sequence[int], number: int, terms: int, stops: frozenset[str]) -> list[str]:
    """Returns the label of each cluster, all of them different: its terms of most weight by c-TF-IDF.

    The weight of a term is `sqrt(tf) * log(1 + A / f)`: tf, its share of the cluster's terms; f, how often the corpus has it; A,
    the terms of a cluster on average. A chunk counts a term once, so that none makes a topic alone.
    """
    counts = [Counter[str]() for _ in range(number)]
    for text, cluster in zip(texts, clusters, strict=True):
        counts[cluster].update(set(candidates(text, stops)))
    found = Counter[str]()
    for own in counts:
        found.update(own)
    average = found.total() / number
    labels: list[str] = []
    for cluster, own in enumerate(counts):

        def weight(term: str, own: Counter[str] = own) -> float:
            return math.sqrt(own[term] / own.total()) * math.log(1 + average / found[term])

        ranked = _distinct_terms(sorted(own, key=lambda term: (-weight(term), term))[:_LOOKED_AT])
        names = (_SEPARATOR.join(ranked[:most]) for most in range(terms, len(ranked) + 1))
        label = next((name for name in names if name not in labels), "")
        labels.append(label or _SEPARATOR.join([*ranked[:terms], f"topic {cluster + 1}"]))
    return labels


def _distinct_terms(ranked: Sequence[str]) -> list[str]:
    """Returns the terms of which no part was taken before, nor a longer term that they are part of."""
    taken: list[str] = []
    for term in ranked:
        if not any(f" {one} " in f" {other} " for before in taken for one, other in ((term, before), (before, term))):
            taken.append(term)
    return taken

"""What only a look at the whole corpus tells of a chunk: its topic, and words to start a query from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from finetrieve.core.errors import InputError
from finetrieve.core.languages import stop_words
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.generation.chunk_graph.terms import extract_terms
from finetrieve.generation.recipes.base import CORPUS_WORDS, TOPIC, WORDS
from finetrieve.generation.recipes.query_pool import Examples
from finetrieve.generation.settings import GenerationSettings, Topics
from finetrieve.generation.topics import find_topics

_OF_A_CHUNK = 12
"""Telling words of a chunk."""
_OF_THE_CORPUS = 500
"""Those that are telling of most chunks."""
_DRAWN = 24
"""Of these, such as a chunk may be asked about with."""


def find_facts(
    chunks: Iterable[Chunk], settings: GenerationSettings, seed: int, on_progress: Progress | None = None
) -> dict[str, Sequence[str]]:
    """Returns field of `ChunkContext` -> its value for each chunk; nothing is read where no recipe needs anything.

    Raises:
        InputError: The corpus has fewer chunks than topics, or no words.
    """
    starting = [recipe for recipe in settings.recipes if recipe.corpus_facts & {WORDS, CORPUS_WORDS}]
    if settings.topics is None and not starting:
        return {}
    corpus = list(chunks)
    texts = [embedded_text(chunk) for chunk in corpus]
    facts: dict[str, Sequence[str]] = {}
    if settings.topics is not None and corpus:
        facts[TOPIC] = _topics(texts, corpus, settings.topics, seed, on_progress)
    if starting and corpus:
        stops = frozenset[str]().union(*map(stop_words, _languages(corpus)))
        ranked = extract_terms(texts, 2 * _OF_A_CHUNK, longest=1, left_out=stops)
        terms = [[term for term in own if not any(map(str.isdigit, term))][:_OF_A_CHUNK] for own in ranked]
        if not any(terms):
            label = starting[0].row_label
            raise InputError(f"Recipe '{label}': the documents have no words to start queries from; give values of your own.")
        facts[WORDS] = [_lines(own) for own in terms]
        common = Counter(term for own in terms for term in own).most_common(_OF_THE_CORPUS)
        pool = Examples(term for term, _ in common)
        facts[CORPUS_WORDS] = [_lines(pool.draw(_DRAWN, f"{seed}\x1f{chunk.id}")) for chunk in corpus]
    return facts


def _lines(terms: Sequence[str]) -> str:
    """Returns the terms a line each, in an order that does not rest on their weights: after an edit the draws stay."""
    return "\n".join(sorted(terms))


def _topics(
    texts: Sequence[str], chunks: Sequence[Chunk], settings: Topics, seed: int, on_progress: Progress | None
) -> list[str]:
    from finetrieve.retrieval.vector_cache import CachedEmbedder

    vectors = CachedEmbedder(settings.embedding_model, precision="auto", on_progress=on_progress).embed(texts, "document")
    return find_topics(texts, vectors, _languages(chunks), settings.number, settings.terms, seed)


def _languages(chunks: Sequence[Chunk]) -> list[str]:
    return sorted({chunk.language or "en" for chunk in chunks})

"""Terms of chunks without a model: runs of words between function words, weighted by how rare they are in the corpus."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from finetrieve.core.text import FRAME_WORDS, query_words

LONGEST = 3
"""Words of a term."""
_SEGMENT = re.compile(r"[.!?:;,()\[\]{}|\"“”«»<>*#\n]+|\s[–—-]\s")
_COMMON_SHARE = 0.12
"""A word that more chunks have separates terms, as a function word does, whatever the language."""
_FEWEST = 25
"""Chunks from which a word's share says something."""


def extract_terms(
    texts: Sequence[str], per_text: int, longest: int = LONGEST, left_out: frozenset[str] = frozenset()
) -> list[list[str]]:
    """Returns the terms of each text, the most telling first: TF-IDF over runs of words as in RAKE (Rose et al., 2010).

    Args:
        texts: The corpus; it is read twice, and what is kept is one count per term.
        per_text: At most so many terms each.
        longest: Words of a term.
        left_out: Words that part terms, beside those that too many texts have.
    """
    stops = _stop_words(texts) | left_out
    found = Counter[str]()
    for text in texts:
        found.update(set(candidates(text, stops, longest)))
    return [_best(Counter(candidates(text, stops, longest)), found, len(texts), per_text) for text in texts]


def _stop_words(texts: Sequence[str]) -> frozenset[str]:
    if len(texts) < _FEWEST:
        return FRAME_WORDS
    counts = Counter[str]()
    for text in texts:
        counts.update(set(query_words(text)))
    return FRAME_WORDS | {word for word, count in counts.items() if count > _COMMON_SHARE * len(texts)}


def candidates(text: str, stops: frozenset[str], longest: int = LONGEST) -> Iterator[str]:
    """Yields the runs of words of a text, up to `longest` words long, in which there is no stop word and no number."""
    for segment in _SEGMENT.split(text):
        run: list[str] = []
        for word in query_words(segment):
            if word in stops or word.isdigit():
                run = []
                continue
            run = [*run, word][-longest:]
            for length in range(1, len(run) + 1):
                term = " ".join(run[-length:])
                if len(term) > 2:
                    yield term


def _best(counts: Counter[str], found: Counter[str], n_texts: int, wanted: int) -> list[str]:
    """Returns the terms of highest weight; one that is part of another that was taken says nothing more."""

    def weight(term: str) -> float:
        return (1 + math.log(counts[term])) * math.log(1 + n_texts / found[term]) * math.sqrt(1 + term.count(" "))

    taken: list[str] = []
    for term in sorted(counts, key=lambda term: (-weight(term), term))[: 4 * wanted]:
        if not any(f" {term} " in f" {other} " for other in taken):
            taken.append(term)
            if len(taken) == wanted:
                break
    return taken

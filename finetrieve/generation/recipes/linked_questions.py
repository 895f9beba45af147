"""Questions that two linked chunks answer only together, written by rules from what each of them answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.graph import ENTITIES, Link
from finetrieve.generation.recipes.rules.gate import reject_reason
from finetrieve.generation.recipes.rules.grammar import do_for
from finetrieve.generation.recipes.rules.lexicon import FORMS
from finetrieve.generation.recipes.rules.phrasing import Candidate, Form, content_words, searched, weighted_order
from finetrieve.generation.recipes.rules.prose import plain, sentences
from finetrieve.generation.recipes.rules.writer import find_candidates, reads_english

COMPARISONS = FORMS["comparison"]
SEQUENCES = FORMS["sequence"]
LEAST_SCORE = 0.8
"""How sure it has to be that a chunk answers a part."""
LEAST_LINK = 0.3
"""Chunks that share less are seldom compared."""
_FIRST_UNITS = {-2: 0, -1: 1}
"""The heading says best what a chunk answers, then the document's title, then its sentences."""
_MOST_WORDS = 7
"""Of a part."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a chunk answers, and the words that say so."""

    phrase: str
    words: frozenset[str]


class LinkedQuestions:
    """Writes the questions of a corpus, a link at a time; at most so many begin at a chunk, and twice as many end there."""

    def __init__(self, chunks: Sequence[ChunkContext], seed: int, per_chunk: int) -> None:
        self._chunks, self._seed, self._per_chunk = chunks, seed, per_chunk
        self._begun, self._ended = Counter[int](), Counter[int]()
        self._parts: dict[int, dict[str, _Part]] = {}
        self._said: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._asked: set[str] = set()

    def write(self, link: Link) -> tuple[int, dict[str, Any] | None, list[tuple[str, str]]]:
        """Returns the chunk with which the question stands, its row or None, and what was dropped with the reason."""
        first, second = link.first, link.second
        if link.kind == ENTITIES and link.weight < LEAST_LINK:
            return first, None, []
        if self._begun[first] >= self._per_chunk or self._ended[second] >= 2 * self._per_chunk:
            return first, None, []
        ours, theirs = self._parts_of(first), self._parts_of(second)
        rejects: list[tuple[str, str]] = []
        for kind, forms in (("thing", COMPARISONS), ("action", SEQUENCES)):
            if kind not in ours or kind not in theirs:
                continue
            query, style, reason = self._question(first, second, ours[kind], theirs[kind], forms)
            if reason is None:
                self._begun[first] += 1
                self._ended[second] += 1
                return first, {"query": query, "style": style, "further": [second]}, rejects
            rejects.append((query, reason))
        return first, None, rejects

    def _parts_of(self, number: int) -> dict[str, _Part]:
        """Returns `thing` and `action` -> what the chunk answers, as far as it answers one; headings say it best."""
        if number not in self._parts:
            chunk = self._chunks[number]
            found = find_candidates(chunk) if reads_english(chunk) else []
            best: dict[str, Candidate] = {}
            for candidate in sorted(found, key=lambda one: (_FIRST_UNITS.get(one.unit, 2), -one.score)):
                if candidate.score >= LEAST_SCORE and len(candidate.phrase.split()) <= _MOST_WORDS:
                    best.setdefault(candidate.kind, candidate)
            self._parts[number] = {
                kind: _Part(f"{one.phrase} {one.context}".strip(), content_words(f"{one.phrase} {one.context}"))
                for kind, one in best.items()
                if kind != "ready"
            }
        return self._parts[number]

    def _question(
        self, first: int, second: int, ours: _Part, theirs: _Part, forms: Sequence[Form]
    ) -> tuple[str, str, str | None]:
        """Returns a question, its style, and why it is dropped."""
        drawn = weighted_order(forms, self._seed, self._chunks[first].id, self._chunks[second].id)
        named = {"a": ours.phrase, "b": theirs.phrase, "ka": searched(ours.phrase), "kb": searched(theirs.phrase)}
        style, template, _ = drawn[0]
        query = template.format(**named, do=do_for(ours.phrase))
        query = query[:1].upper() + query[1:] if query.endswith("?") else query
        (words, said), (other_words, other_said) = self._said_in(first), self._said_in(second)
        why = _why_not_both(ours, theirs, words, other_words) or reject_reason(query, said | other_said)
        if why is None and normalise_query(query) in self._asked:
            why = "asked of two other chunks already"
        self._asked.add(normalise_query(query))
        return query, style, why

    def _said_in(self, number: int) -> tuple[frozenset[str], frozenset[str]]:
        """Returns the content words and the sentences of a chunk."""
        if number not in self._said:
            chunk = self._chunks[number]
            said = frozenset(normalise_query(sentence) for sentence in sentences(plain(chunk.text)))
            self._said[number] = (content_words(f"{chunk.title} {chunk.section} {chunk.text}"), said)
        return self._said[number]


def _why_not_both(ours: _Part, theirs: _Part, words: frozenset[str], other_words: frozenset[str]) -> str | None:
    """Returns why a question does not need both chunks, as far as words tell: one of them has all of its key words."""
    if not ours.words or not theirs.words or ours.words <= theirs.words or theirs.words <= ours.words:
        return "its two parts name the same"
    both = ours.words | theirs.words
    for name, own in (("first", words), ("second", other_words)):
        if both <= own:
            return f"the {name} chunk alone has all of its key words"
    return None

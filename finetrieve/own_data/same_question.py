"""Questions that ask the same in nearly the same words: they stay on one side of the split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from finetrieve.core.text import FRAME_WORDS, normalise_query, query_words

ALIKE = 0.75
"""Similarity (0..1, by edits) from which two words are one, inflected or mistyped."""
SHORTEST = 4
"""Letters of a word that may be mistyped; a shorter one, and one with a digit, is another word: `v1`, `v2`."""
RAREST = 3
"""Words by which a question is looked up among the others, its rarest ones."""
MOST_ALIKE = 200
"""Questions that are compared at most with one another for sharing a word, so that nothing is quadratic."""


def same_question_groups(queries: Iterable[str]) -> dict[str, str]:
    """Returns the normal form of each query -> the form of the first one that asks nearly the same.

    Two questions ask the same if they have the same words but for those of the question's frame, inflection and typing errors:
    `How can I reset the password?` and `reset passwords`, but not `reset the pump` and `reset the lamp`.
    """
    forms = list(dict.fromkeys(normalise_query(query) for query in queries))
    words = [frozenset(query_words(form)) - FRAME_WORDS or frozenset(query_words(form)) for form in forms]
    leader = list(range(len(forms)))
    for bucket in _buckets(words):
        for place, first in enumerate(bucket):
            for second in bucket[place + 1 :]:
                one, other = _root(leader, first), _root(leader, second)
                if one != other and _ask_the_same(words[first], words[second]):
                    leader[max(one, other)] = min(one, other)
    return {form: forms[_root(leader, number)] for number, form in enumerate(forms)}


def _ask_the_same(first: frozenset[str], second: frozenset[str]) -> bool:
    only, other = first - second, second - first
    return all(_has_partner(word, other) for word in only) and all(_has_partner(word, only) for word in other)


def _has_partner(word: str, others: Iterable[str]) -> bool:
    from rapidfuzz import fuzz

    return any(_may_vary(word) and _may_vary(other) and fuzz.ratio(word, other) >= 100 * ALIKE for other in others)


def _may_vary(word: str) -> bool:
    return len(word) >= SHORTEST and not any(letter.isdigit() for letter in word)


def _buckets(words: Sequence[frozenset[str]]) -> Iterable[list[int]]:
    """Returns the questions that share one of their rarest words."""
    often = Counter(word for own in words for word in own)
    buckets = defaultdict[str, list[int]](list)
    for number, own in enumerate(words):
        for word in sorted(own, key=lambda word: (often[word], word))[:RAREST]:
            buckets[word].append(number)
    return (bucket[:MOST_ALIKE] for bucket in buckets.values() if len(bucket) > 1)


def _root(leader: Sequence[int], number: int) -> int:
    while leader[number] != number:
        number = leader[number]
    return number

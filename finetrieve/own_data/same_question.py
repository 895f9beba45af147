"""Questions that ask the same in nearly the same words: they stay on one side of the split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from finetrieve.core.text import normalise_query, query_words

THRESHOLD = 0.9
"""Similarity (0..1, edits between the sorted words) from which two questions are the same one."""
RAREST = 3
"""Words by which a question is looked up among the others, its rarest ones: a near duplicate shares one of them."""
MOST_ALIKE = 200
"""Questions that are compared at most with one another for sharing a word, so that nothing is quadratic."""


def same_question_groups(queries: Iterable[str]) -> dict[str, str]:
    """Returns the normal form of each query -> the form of the first one that asks nearly the same."""
    from rapidfuzz import fuzz

    forms = list(dict.fromkeys(normalise_query(query) for query in queries))
    words = [sorted(query_words(form)) for form in forms]
    leader = list(range(len(forms)))
    for bucket in _buckets(words):
        for place, first in enumerate(bucket):
            for second in bucket[place + 1 :]:
                one, other = _root(leader, first), _root(leader, second)
                if one != other and fuzz.ratio(" ".join(words[first]), " ".join(words[second])) >= 100 * THRESHOLD:
                    leader[max(one, other)] = min(one, other)
    return {form: forms[_root(leader, number)] for number, form in enumerate(forms)}


def _buckets(words: Sequence[Sequence[str]]) -> Iterable[list[int]]:
    """Returns the questions that share one of their rarest words."""
    often = Counter(word for own in words for word in set(own))
    buckets = defaultdict[str, list[int]](list)
    for number, own in enumerate(words):
        for word in sorted(set(own), key=lambda word: (often[word], word))[:RAREST]:
            buckets[word].append(number)
    return (bucket[:MOST_ALIKE] for bucket in buckets.values() if len(bucket) > 1)


def _root(leader: Sequence[int], number: int) -> int:
    while leader[number] != number:
        number = leader[number]
    return number

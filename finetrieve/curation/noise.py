"""Noise like people's: a share of the queries as they are typed in haste, misspelled, unfinished or as keywords."""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from finetrieve.core.rows import GeneratedQuery
from finetrieve.core.text import FRAME_WORDS, normalise_query
from finetrieve.curation.filters import FilterInputs, QueryFilter, Rewritten

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: [row[place + step] for step in (-1, 1) if 0 <= place + step < len(row)] for row in _KEYS for place, key in enumerate(row)
}
"""Key -> those beside it."""
_SPELT = re.compile(r"[^\W\d_]{4,}")
"""A word that may be misspelled; names of code and short words are typed with care or leave nothing to guess."""
_WORDS_PER_TYPO = 6
_LEAST_LEFT = 3
"""Words that an unfinished query keeps."""

Kind = Literal["lower_case", "unfinished", "misspelled", "keywords"]


class NoiseTransform(QueryFilter):
    """Makes a share of the queries such as people type them; drops none.

    It stands last: filters judge the query as it was written. A model that has seen only clean queries loses accuracy on
    misspelled ones (Zhuang and Zuccon, 2108.12139).
    """

    description: ClassVar[str] = "no filter: makes a share of the queries lower-cased, misspelled, unfinished or keywords only"

    name: Literal["noise"] = "noise"
    share: float = Field(default=0.2, gt=0, le=1)
    """Of the queries that are changed."""
    kinds: dict[Kind, float] = Field(default={"lower_case": 2, "misspelled": 2, "keywords": 2, "unfinished": 1})
    """What is done to one of them, by weight."""
    seed: int = Field(default=13, ge=0)
    """Of which queries are changed and how; the same query is changed in the same way whatever else there is."""

    @field_validator("kinds")
    @classmethod
    def _has_weights(cls, kinds: dict[Kind, float]) -> dict[Kind, float]:
        if not kinds or any(weight <= 0 for weight in kinds.values()):
            raise ValueError("give at least one kind, and each a weight above 0.")
        return kinds

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:  # noqa: ARG002
        """Returns nothing: none is dropped."""
        return {}

    def rewrite(self, queries: Iterable[GeneratedQuery]) -> dict[str, Rewritten]:
        """Returns query id -> what becomes of it, with the kind added to its style; never what its chunk is asked already."""
        asked = defaultdict[str, set[str]](set)
        for row in queries:
            asked[row.chunk_id].add(normalise_query(row.query))
        changed = {}
        for row in queries:
            source = random.Random(hashlib.sha256(f"{self.seed}\x1f{row.id}".encode()).digest())
            if source.random() >= self.share:
                continue
            kind = source.choices(list(self.kinds), list(self.kinds.values()))[0]
            query = _CHANGES[kind](row.query, source)
            words = normalise_query(query)
            repeats = words != normalise_query(row.query) and words in asked[row.chunk_id]
            if query != row.query and not repeats:
                asked[row.chunk_id].add(words)
                changed[row.id] = Rewritten(query, f"{row.style}, {kind}", kind)
        return changed


def _lower_case(query: str, source: random.Random) -> str:  # noqa: ARG001
    """Returns the query without capital letters, but in names such as `KMeans` or `HTTP`, and without the sign at its end."""
    words = [word if any(letter.isupper() for letter in word[1:]) else word.lower() for word in query.split()]
    return " ".join(words).rstrip("?.! ")


def _unfinished(query: str, source: random.Random) -> str:
    """Returns the beginning: at least 60% of its words."""
    words = _lower_case(query, source).split()
    least = max(_LEAST_LEFT, -(-len(words) * 3 // 5))
    return " ".join(words[: source.randint(least, len(words) - 1)]) if least < len(words) else " ".join(words)


def _misspelled(query: str, source: random.Random) -> str:
    """Returns the query with a typo in one of six words, at least one, and never in a word's first letter."""
    typed = _lower_case(query, source)
    places = [match.span() for match in _SPELT.finditer(typed) if not _is_name(typed, *match.span())]
    count = max(1, len(typed.split()) // _WORDS_PER_TYPO)
    for start, end in sorted(source.sample(places, min(count, len(places))), reverse=True):
        typed = typed[:start] + _typo(typed[start:end], source) + typed[end:]
    return typed


def _is_name(text: str, start: int, end: int) -> bool:
    """Whether a word is part of an identifier, a path or an option."""
    around = text[max(0, start - 1) : start] + text[end : end + 1]
    return bool(re.search(r"[\d_./\\:@#=<>-]", around)) or any(letter.isupper() for letter in text[start:end])


def _typo(word: str, source: random.Random) -> str:
    place = source.randrange(1, len(word) - 1)
    way = source.choice(("swapped", "left out", "doubled", "beside"))
    if way == "swapped" and word[place] != word[place + 1]:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if way == "doubled":
        return word[:place] + word[place] + word[place:]
    if way == "beside" and word[place] in _NEIGHBOURS:
        return word[:place] + source.choice(_NEIGHBOURS[word[place]]) + word[place + 1 :]
    return word[:place] + word[place + 1 :]


def _keywords(query: str, source: random.Random) -> str:
    """Returns the words that say what is asked about; the query in small letters where fewer than two are left."""
    typed = _lower_case(query, source)
    words = [word.strip(",;:?!\"'()") for word in typed.split()]
    kept = [word for word in words if word and word.casefold() not in FRAME_WORDS]
    return " ".join(kept) if len(kept) > 1 else typed


_CHANGES: dict[Kind, Callable[[str, random.Random], str]] = {
    "lower_case": _lower_case,
    "unfinished": _unfinished,
    "misspelled": _misspelled,
    "keywords": _keywords,
}

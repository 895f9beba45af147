"""Texts that say the same: exact copies by their normal form, near copies by MinHash, confirmed by their word triples."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from finetrieve.core.rows import Chunk, Document

SHINGLE_WORDS = 3
BANDS, ROWS = 16, 5
"""Of the MinHash signature (Leskovec et al., Mining of Massive Datasets, ch. 3): 99.8% of pairs that are 0.8 alike are found."""
HASH_SEED = 7
DOCUMENT_THRESHOLD = 0.8
MIN_WORDS = 6
"""A shorter text is compared exactly only."""
SAME_WITHOUT = frozenset([
    "a", "an", "the", "this", "that", "these", "those", "it", "its", "they", "them", "their", "we", "us", "our", "you",
    "your", "i", "he", "she", "his", "her", "and", "or", "of", "in", "on", "at", "to", "for", "from", "by", "with", "as",
    "into", "about", "be", "is", "are", "was", "were", "been", "being", "am", "do", "does", "did", "has", "have", "had",
    "can", "could", "may", "might", "will", "would", "shall", "should", "must", "now", "then", "next", "here", "there",
    "also", "just", "very", "too", "so", "such", "please", "simply",
])  # fmt: skip
"""Words that two texts may differ in and say the same. A number, a name, any other word is a fact: both texts stay."""
WORD_OR_MARK = re.compile(
    r"(?<![\w-])-\d\w*|\w+(?:[#+]+(?!\w))?|[^\w\s.,;:!?'\"\u2018-\u201f()\[\]{}*`>|#/\\&\u2013\u2014\u2026+-]"
)
MAX_BUCKET = 32
"""A text is compared with so many leaders of a bucket at most, so that nothing is quadratic."""

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A chunk that the corpus does without, since it keeps one that says the same."""

    chunk_id: str
    doc_id: str
    text: str


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """A chunk of the corpus and those that it stands for."""

    kept: str
    """Id of the chunk that stays: the first one in the order of documents."""
    dropped: tuple[Dropped, ...]
    kind: Literal["exact", "near"]
    """`exact` when all texts are the same but for case, blanks and punctuation; titles and sections are the same in either."""


def drop_duplicates(chunks: Sequence[Chunk], threshold: float) -> tuple[list[Chunk], list[DuplicateGroup]]:
    """Returns the chunks to keep, one for each group of copies, and the groups.

    Args:
        chunks: In the order of their documents; the first of a group stays.
        threshold: Jaccard likeness of word triples, 0..1, from which texts are near copies; 1 finds exact ones only.
    """
    # 1. Exact copies.
    words = [_words(chunk.text) for chunk in chunks]
    first: dict[object, int] = {}
    keys = (_exact_key(chunk, text) for chunk, text in zip(chunks, words, strict=True))
    leader = [first.setdefault(key, index) for index, key in enumerate(keys)]
    # 2. Near copies among what is left.
    near = [False] * len(chunks)
    if threshold < 1:
        unique = sorted(first.values())
        candidates = [words[index] if len(words[index]) >= MIN_WORDS else [] for index in unique]
        places = [_place(chunks[index]) for index in unique]

        def same_facts(left: int, right: int) -> bool:
            return places[left] == places[right] and _facts(candidates[left]) == _facts(candidates[right])

        joined = dict(zip(unique, (unique[position] for position in similar(candidates, threshold, same_facts)), strict=True))
        near = [joined[index] != index for index in leader]
        leader = [joined[index] for index in leader]
    # 3. One stays for each group.
    groups: dict[int, list[int]] = defaultdict(list)
    for index, first_index in enumerate(leader):
        if index != first_index:
            groups[first_index].append(index)
    found = [
        DuplicateGroup(
            chunks[kept].id,
            tuple(Dropped(chunks[index].id, chunks[index].doc_id, chunks[index].text) for index in dropped),
            "near" if any(near[index] for index in dropped) else "exact",
        )
        for kept, dropped in sorted(groups.items())
    ]
    return [chunk for index, chunk in enumerate(chunks) if leader[index] == index], found


def near_duplicate_documents(documents: Sequence[Document]) -> dict[str, str]:
    """Returns for each document id the group it belongs to: the id of the first document that is nearly the same, or its own."""
    leaders = similar([_words(document.text) for document in documents], DOCUMENT_THRESHOLD)
    return {document.id: documents[leader].id for document, leader in zip(documents, leaders, strict=True)}


def similar(
    texts: Sequence[Sequence[str]], threshold: float, agree: Callable[[int, int], bool] = lambda _left, _right: True
) -> list[int]:
    """Returns for each text (a list of words) the position of the first one that it is like, or its own.

    Likeness is not chained: a text joins a leader, and never leads others itself.

    Args:
        texts: Lists of words.
        threshold: Jaccard likeness of word triples.
        agree: Whether two texts, by their positions, may be one.
    """
    shingles = _shingles(texts)
    buckets: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]
    leaders = list(range(len(texts)))
    for index, hashes in enumerate(shingles):
        if not len(hashes):
            continue
        signature = _signature(hashes)
        bands = [signature[band * ROWS : (band + 1) * ROWS].tobytes() for band in range(BANDS)]
        candidates = sorted({other for bucket, band in zip(buckets, bands, strict=True) for other in bucket.get(band, ())})
        leaders[index] = next(
            (other for other in candidates if _jaccard(shingles[other], hashes) >= threshold and agree(other, index)), index
        )
        if leaders[index] == index:
            for bucket, band in zip(buckets, bands, strict=True):
                if len(bucket[band]) < MAX_BUCKET:
                    bucket[band].append(index)
    return leaders


def _words(text: str) -> list[str]:
    """Returns words, `c#` and `-5` among them, and marks that say something, such as those for yes and no."""
    return WORD_OR_MARK.findall(text.lower())


def _exact_key(chunk: Chunk, words: list[str]) -> object:
    """Returns what two copies have in common: their words, and the title and section that they stand under."""
    return (" ".join(words) or chunk.text, *_place(chunk))


def _place(chunk: Chunk) -> tuple[str, str]:
    return " ".join(_words(chunk.title)), " ".join(_words(chunk.section))


def _facts(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the words of a text that say something, in their order."""
    return tuple(word for word in words if word not in SAME_WITHOUT)


def _shingles(texts: Sequence[Sequence[str]]) -> list[Hashes]:
    """Returns the sorted distinct hashes of each text's word triples (of the whole text when it is shorter)."""
    known: dict[str, int] = {}

    def number(word: str) -> int:
        if word not in known:
            known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        return known[word]

    found = []
    for words in texts:
        hashes = np.array([number(word) for word in words], dtype=np.uint64)
        n_shingles = max(len(hashes) - SHINGLE_WORDS + 1, min(len(hashes), 1))
        mixed = np.zeros(n_shingles, dtype=np.uint64)
        for offset in range(min(SHINGLE_WORDS, len(hashes))):
            mixed = _mix(mixed + hashes[offset : offset + n_shingles])
        found.append(np.unique(mixed))
    return found


def _signature(hashes: Hashes) -> Hashes:
    """Returns the least hash of the set under each of `BANDS * ROWS` hash functions."""
    seeds = np.random.default_rng(HASH_SEED).integers(1, 2**63, size=(BANDS * ROWS, 1), dtype=np.uint64)
    return np.asarray(_mix(hashes[None, :] ^ seeds).min(axis=1), dtype=np.uint64)


def _mix(values: Hashes) -> Hashes:
    """Returns the values with their bits mixed (the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _jaccard(left: Hashes, right: Hashes) -> float:
    if not len(left) or not len(right) or min(len(left), len(right)) / max(len(left), len(right)) < 0.5:
        return 0.0
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)

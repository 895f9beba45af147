"""The graph of chunks: which of them share rare entities, say similar things, stand side by side, or link to each other.

As in the test-set generator of ragas (Es et al., 2309.15217), but sparse: an entity that many chunks have links none of them, and
only chunks that are among each other's nearest are linked, so that edges grow with the chunks and not with their square.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from finetrieve.core.rows import heading_path
from finetrieve.core.text import normalise_query
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.chunk_graph.neighbours import mutual, nearest
from finetrieve.generation.chunk_graph.terms import extract_terms

ENTITIES, SIMILARITY, SIBLINGS, PAGE_LINK = "entities", "similarity", "siblings", "page link"
MOST_CHUNKS = 32
"""Chunks up to which an entity links those that have it: what more of them name tells no two apart."""
LEAST_SHARED = 0.08
"""Cosine of two chunks' entities, weighted by rarity, from which they are linked."""
LEAST_SIMILAR = 0.45
"""Cosine of two chunks' vectors from which they are linked."""
_BLOCK = 2048
_REACH = 2
"""Sections that follow each other so closely are siblings."""
_SHOWN = 3
_MARKDOWN_LINK = re.compile(r"\]\(<?([^)\s>#]+)")


@dataclass(frozen=True, slots=True)
class Link:
    """Two chunks that belong together, by their numbers."""

    first: int
    second: int
    kind: str
    weight: float
    """0..1"""
    shared: str = ""
    """What they share, in words."""


@dataclass(frozen=True)
class ChunkGraph:
    """Chunks by their numbers, and the links between them."""

    n_chunks: int
    links: list[Link]
    """At most one between two chunks, the smaller number first."""
    neighbours: dict[int, list[tuple[int, Link]]] = field(default_factory=dict)
    """Chunk -> (another, link), the strongest first."""

    @classmethod
    def of(cls, n_chunks: int, links: Iterable[Link]) -> ChunkGraph:
        """Returns the graph; of several links between two chunks the strongest stays."""
        best: dict[tuple[int, int], Link] = {}
        for link in links:
            if (known := best.get((link.first, link.second))) is None or link.weight > known.weight:
                best[link.first, link.second] = link
        kept = [best[pair] for pair in sorted(best)]
        neighbours = defaultdict[int, list[tuple[int, Link]]](list)
        for link in kept:
            neighbours[link.first].append((link.second, link))
            neighbours[link.second].append((link.first, link))
        for own in neighbours.values():
            own.sort(key=lambda found: (-found[1].weight, found[0]))
        return cls(n_chunks, kept, dict(neighbours))

    def links_of(self) -> dict[int, list[list[object]]]:
        """Returns chunk -> its links to chunks with a greater number, as `ChunkResult` has them."""
        own = defaultdict[int, list[list[object]]](list)
        for link in self.links:
            own[link.first].append([link.second, link.kind, round(link.weight, 4), link.shared])
        return own


def term_graph(chunks: Sequence[ChunkContext], terms: int, degree: int) -> ChunkGraph:
    """Returns the graph of the chunks by terms, sections and links between pages: no model is asked.

    Args:
        chunks: The corpus.
        terms: Looked at per chunk, at most.
        degree: Links of a chunk by terms, at most.
    """
    found = extract_terms([shown_text(chunk) for chunk in chunks], terms)
    return ChunkGraph.of(len(chunks), [*entity_links(found, degree), *section_links(chunks), *page_links(chunks)])


def shown_text(chunk: ChunkContext) -> str:
    """Returns a chunk's text below its title and heading path, as models read it."""
    place = heading_path(chunk.title, chunk.section)
    return f"{place}\n{chunk.text}" if place else chunk.text


def entity_links(entities: Sequence[Sequence[str]], degree: int) -> Iterator[Link]:
    """Yields links between chunks that share rare entities: an inverted index as a sparse product, block by block.

    Args:
        entities: Of each chunk.
        degree: A chunk is linked to at most so many others.
    """
    named = [list(dict.fromkeys(filter(None, map(normalise_query, own)))) for own in entities]
    counts = Counter(name for own in named for name in own)
    column = {name: place for place, name in enumerate(name for name, count in counts.items() if 1 < count <= MOST_CHUNKS)}
    if not column:
        return
    rarity = {name: math.log(1 + len(named) / counts[name]) for name in column}
    matrix = _unit_rows(named, column, rarity)
    found = [_strongest(matrix, start, degree) for start in range(0, len(named), _BLOCK)]
    rows, others, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    for first, second, score in zip(*(part.tolist() for part in mutual(rows, others, scores)), strict=True):
        both = set(named[first]).intersection(named[second])
        common = sorted((name for name in both if name in column), key=lambda name: (-rarity[name], name))
        yield Link(first, second, ENTITIES, min(1.0, score), ", ".join(common[:_SHOWN]))


def _unit_rows(named: Sequence[Sequence[str]], column: Mapping[str, int], rarity: Mapping[str, float]) -> sparse.csr_array:
    """Returns `(n_chunks, n_entities)`: the entities' rarities, each row of length 1."""
    values, columns, starts = list[float](), list[int](), [0]
    for own in named:
        weights = [(column[name], rarity[name]) for name in own if name in column]
        length = math.sqrt(sum(weight * weight for _, weight in weights))
        columns += [place for place, _ in weights]
        values += [weight / length for _, weight in weights]
        starts.append(len(columns))
    return sparse.csr_array((np.array(values, dtype=np.float32), columns, starts), shape=(len(named), len(column)))


def _strongest(
    matrix: sparse.csr_array, start: int, degree: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Returns (row, other, weight) of the strongest links of a block's rows."""
    block = sparse.coo_array(matrix[start : start + _BLOCK] @ matrix.T)
    rows, others, scores = block.row.astype(np.int64) + start, block.col.astype(np.int64), block.data
    kept = (rows != others) & (scores >= LEAST_SHARED)
    rows, others, scores = rows[kept], others[kept], scores[kept]
    order = np.lexsort((others, -scores, rows))
    rows, others, scores = rows[order], others[order], scores[order]
    first = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left") < degree
    return rows[first], others[first], scores[first].astype(np.float32)


def similarity_links(vectors: NDArray[np.float32], degree: int, seed: int) -> Iterator[Link]:
    """Yields links between chunks that are among each other's nearest.

    Args:
        vectors: Unit vectors `(n_chunks, dim)`.
        degree: A chunk is linked to at most so many others.
        seed: Of the search.
    """
    rows, others, scores = mutual(*nearest(vectors, degree, seed))
    for first, second, score in zip(rows.tolist(), others.tolist(), scores.tolist(), strict=True):
        if score >= LEAST_SIMILAR:
            yield Link(first, second, SIMILARITY, min(1.0, score))


def section_links(chunks: Sequence[ChunkContext]) -> Iterator[Link]:
    """Yields links between sections that stand side by side under one heading, each by the chunk that opens it."""
    siblings = defaultdict[tuple[str, str], list[int]](list)
    for number, chunk in enumerate(chunks):
        if chunk.section and chunk.opens_section:
            siblings[chunk.doc_id, chunk.section.rpartition(" > ")[0]].append(number)
    for (_, above), own in siblings.items():
        for place, first in enumerate(own):
            for distance, second in enumerate(own[place + 1 : place + 1 + _REACH], 1):
                yield Link(min(first, second), max(first, second), SIBLINGS, 0.6 / distance, above or chunks[first].title)


def page_links(chunks: Sequence[ChunkContext]) -> Iterator[Link]:
    """Yields links from a chunk to the opening chunk of a page that its text links to."""
    pages = [(_page_name(chunk.doc_id), number) for number, chunk in enumerate(chunks) if chunk.opens_document]
    of_name = Counter(name for name, _ in pages)
    opening = {name: number for name, number in pages if of_name[name] == 1}  # `index` of ten folders is no one's name
    for number, chunk in enumerate(chunks):
        for target in _MARKDOWN_LINK.findall(chunk.text):
            other = opening.get(_page_name(target))
            if other is not None and chunks[other].doc_id != chunk.doc_id:
                yield Link(min(number, other), max(number, other), PAGE_LINK, 0.7, chunks[other].title)


def _page_name(path: str) -> str:
    """Returns the last part of an address without its ending."""
    return re.sub(r"\.\w{2,5}$", "", path.rstrip("/").rpartition("/")[2]).casefold()

"""Chunk contexts: a chunk as a recipe sees it, with its place in the document, which one chunk alone cannot know."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from finetrieve.core.rows import Chunk
from finetrieve.core.tables import RowFile, to_rows

BLOCK = 256
"""Chunks that are read from their file at once."""


@dataclass(frozen=True, slots=True)
class ChunkContext:
    """A chunk, and whether it comes first in its document and section."""

    id: str
    title: str
    """The document's title."""
    section: str
    """Heading path inside the document, joined by ` > `."""
    text: str
    opens_document: bool
    """No chunk of the document comes before it: questions about the title belong here."""
    opens_section: bool
    """No chunk of the section comes before it: questions about the heading belong here."""
    language: str = ""
    """As in `Chunk`."""
    doc_id: str = ""
    """Likewise."""
    topic: str = ""
    """The label of its topic; empty where no topics are asked for."""
    words: str = ""
    """Its telling words, a line each; empty where no recipe starts from them."""
    corpus_words: str = ""
    """Telling words of the corpus that are drawn for it, likewise."""


def build_contexts(chunks: Iterable[Chunk], facts: Mapping[str, Sequence[str]] | None = None) -> Iterator[ChunkContext]:
    """Yields one context per chunk, in the chunks' order; reads the chunks twice.

    Args:
        chunks: The corpus.
        facts: Field of `ChunkContext` -> its value for each chunk, of what only a look at the whole corpus tells.
    """
    documents, sections, positions = array("Q"), array("Q"), array("q")
    for chunk in chunks:
        documents.append(fingerprint(chunk.doc_id))
        sections.append(fingerprint(f"{chunk.doc_id}\x1f{chunk.section}"))
        positions.append(chunk.position)
    opens_document, opens_section = _is_first(documents, positions), _is_first(sections, positions)
    for number, chunk in enumerate(chunks):
        yield ChunkContext(
            id=chunk.id,
            title=chunk.title,
            section=chunk.section,
            text=chunk.text,
            language=chunk.language,
            doc_id=chunk.doc_id,
            opens_document=bool(opens_document[number]),
            opens_section=bool(opens_section[number]),
            **{name: values[number] for name, values in (facts or {}).items()},
        )


def _is_first(groups: array[int], positions: array[int]) -> NDArray[np.bool_]:
    """Returns for each position whether its group has no smaller one."""
    names, group = np.unique(np.array(groups, dtype=np.uint64), return_inverse=True)
    places = np.array(positions, dtype=np.int64)
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, group, places)
    is_first: NDArray[np.bool_] = places == first[group]
    return is_first


def fingerprint(text: str) -> int:
    """Returns 64 bits that stand for a text where there are too many texts to keep."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def write_contexts(path: Path, chunks: Iterable[Chunk], facts: Mapping[str, Sequence[str]] | None = None) -> None:
    """Writes the chunks' contexts to a file; the arguments are those of `build_contexts`."""
    file = RowFile(path, ChunkContext, BLOCK)
    file.extend(build_contexts(chunks, facts))
    file.close()


class ContextFile:
    """The chunk contexts of a generation, read block by block; open it in the process that uses it."""

    def __init__(self, path: Path) -> None:
        # Read rather than mapped: of a mapped file every page that was looked at would count as this process's.
        self._file = pa.ipc.open_file(pa.OSFile(str(path)))

    def block(self, number: int) -> list[ChunkContext]:
        """Returns the contexts from `number * BLOCK` on, at most so many."""
        return to_rows(pa.Table.from_batches([self._file.get_batch(number)]), ChunkContext)

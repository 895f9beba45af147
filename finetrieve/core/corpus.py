"""The corpus of a run as its steps share it: three Arrow tables, and the views of them that need no object for every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import pyarrow as pa

from finetrieve.core.rows import Chunk, ChunkPlace, DocumentEntry, DuplicateChunk, embedded_text
from finetrieve.core.tables import ROWS_AT_ONCE, Rows, to_rows, to_table


@dataclass(frozen=True, eq=False)
class Corpus:
    """Chunks, the documents that they come from, and the chunks that were left out because a kept one says the same.

    A memory-mapped table stays on disk: the views build a dictionary of ids, once, or a batch of rows at a time.
    """

    chunks: pa.Table
    """Rows are `Chunk`."""
    documents: pa.Table = field(default_factory=lambda: to_table([], DocumentEntry))
    """Rows are `DocumentEntry`."""
    duplicates: pa.Table = field(default_factory=lambda: to_table([], DuplicateChunk))
    """Rows are `DuplicateChunk`."""

    @classmethod
    def from_rows(
        cls,
        chunks: Iterable[Chunk],
        documents: Iterable[DocumentEntry] = (),
        duplicates: Iterable[DuplicateChunk] = (),
    ) -> Corpus:
        """Returns the corpus of rows that are in memory."""
        return cls(to_table(chunks, Chunk), to_table(documents, DocumentEntry), to_table(duplicates, DuplicateChunk))

    def __len__(self) -> int:
        """Returns the number of chunks."""
        return int(self.chunks.num_rows)

    def chunk_rows(self) -> Rows[Chunk]:
        """Returns the chunks in their order, of which only a batch is in memory at a time; can be read again and again."""
        return Rows(self.chunks, Chunk)

    def chunk_places(self) -> Rows[ChunkPlace]:
        """Returns of each chunk which one it is and of which document; likewise, at a fraction of the time."""
        return Rows(self.chunks, ChunkPlace)

    def texts(self) -> Iterator[str]:
        """Yields what the model reads of each chunk: title and heading path in front of the text."""
        return map(embedded_text, self.chunk_rows())

    @cached_property
    def row_of_chunk(self) -> dict[str, int]:
        """Chunk id -> its row in `chunks`."""
        return {identity: row for row, identity in enumerate(self.chunks.column("id").to_pylist())}

    def chunk(self, identity: str) -> Chunk:
        """Returns one chunk; those asked for last are kept, so queries in the order of the chunks cost little.

        Raises:
            KeyError: There is no such chunk.
        """
        return self._chunk_at(self.row_of_chunk[identity])

    @cached_property
    def _chunk_at(self) -> Callable[[int], Chunk]:
        return lru_cache(maxsize=ROWS_AT_ONCE)(lambda row: to_rows(self.chunks.slice(row, 1), Chunk)[0])

    @cached_property
    def group_of_document(self) -> dict[str, str]:
        """Document id -> the group of near-duplicate documents that it belongs to, which stays on one side of the split."""
        columns = self.documents.select(["doc_id", "group"]).to_pydict()
        return dict(zip(columns["doc_id"], columns["group"], strict=True))

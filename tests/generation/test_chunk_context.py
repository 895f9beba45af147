"""Chunks know their place in the document, and are read from their file by number."""

from __future__ import annotations

from pathlib import Path

from finetrieve.core.rows import Chunk
from finetrieve.generation.chunk_context import BLOCK, build_contexts, write_contexts
from finetrieve.generation.recipes.chunk_step import read_contexts


def chunk(name: str, doc: str, section: str, position: int) -> Chunk:
    return Chunk(name, doc, "s", "T", section, f"text {name}", 9, position)


def test_the_first_chunk_of_a_document_and_of_a_section_opens_it_wherever_it_stands() -> None:
    chunks = [
        chunk("c", "a", "One", 2),
        chunk("a", "a", "", 0),
        chunk("b", "a", "One", 1),
        chunk("d", "b", "One", 5),
        chunk("e", "b", "Two", 6),
    ]
    found = {context.id: (context.opens_document, context.opens_section) for context in build_contexts(chunks)}
    assert found == {
        "a": (True, True),
        "b": (False, True),
        "c": (False, False),
        "d": (True, True),
        "e": (False, True),
    }
    assert list(build_contexts([])) == []


def test_chunks_come_back_from_their_file_by_number(tmp_path: Path) -> None:
    chunks = [chunk(f"c{number}", f"d{number}", "", 0) for number in range(2 * BLOCK + 3)]
    write_contexts(tmp_path / "chunks.arrow", chunks)
    whole = list(build_contexts(chunks))
    assert list(read_contexts(str(tmp_path / "chunks.arrow"), range(len(chunks)))) == whole
    numbers = [BLOCK, 0, BLOCK - 1, 2 * BLOCK + 2, 0]
    assert list(read_contexts(str(tmp_path / "chunks.arrow"), numbers)) == [whole[number] for number in numbers]

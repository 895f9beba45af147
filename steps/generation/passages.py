"""A chunk as a recipe sees it: with its place in the document, which one chunk alone cannot know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from steps.rows import Chunk


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk and its place."""

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


def passages(chunks: Iterable[Chunk]) -> list[Passage]:
    """Returns one passage per chunk, in the chunks' order."""
    chunks = list(chunks)
    openers: dict[tuple[str, ...], int] = {}
    for chunk in chunks:
        for place in ((chunk.doc_id,), (chunk.doc_id, chunk.section)):
            openers[place] = min(openers.get(place, chunk.position), chunk.position)
    return [
        Passage(
            id=chunk.id,
            title=chunk.title,
            section=chunk.section,
            text=chunk.text,
            opens_document=openers[(chunk.doc_id,)] == chunk.position,
            opens_section=openers[(chunk.doc_id, chunk.section)] == chunk.position,
        )
        for chunk in chunks
    ]

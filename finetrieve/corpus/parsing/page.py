"""What parsing makes of a page: its title, its text as clean Markdown, and what was taken out."""

from __future__ import annotations

from dataclasses import dataclass

from finetrieve.corpus.parsing.removal import Removal, WordCount


@dataclass(frozen=True, slots=True)
class CleanPage:
    """What is left of a page."""

    title: str
    """From the front matter or the first top heading; empty when it has neither."""
    text: str
    contents_only: bool = False
    """Whether the page was little but links: a table of contents."""
    links: frozenset[str] = frozenset()
    """Lines of the text that are links and nothing else."""
    source: str = ""
    """The page's words as they were read, to be counted."""
    removals: tuple[Removal, ...] = ()
    unread: tuple[str, ...] = ()
    """Parts of the file that could not be read, and why: pages of a PDF that are pictures, say."""
    words: WordCount | None = None
    """Of the page, once they are counted."""

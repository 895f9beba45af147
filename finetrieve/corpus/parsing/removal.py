"""What parsing takes out of a page, each piece with its reason, so that no word goes unseen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

CHROME = "navigation and other parts of the site around the page"
PAGE_LINKS = "links to parts of the same page"
CONTROLS = "controls, such as the copy button of a code block"
LINE_NUMBERS = "line numbers beside code"
SCRIPTS = "scripts, styles and what is not shown"
PICTURES = "alternative texts of pictures that say nothing: one word or a file name"
BROWSER_TITLE = "title of the browser's window"
TARGETS = "targets of links"
TAGS = "tags and their attributes"
COMMENTS = "comments"
CONDITIONS = "text for other outputs or versions, by conditions of AsciiDoc"
CODE_OF_SITE = "imports and exports of MDX"
FRONT_MATTER = "keys and settings in front matter"
MARKS = "names of directives, fences and other marks of the format"
IDENTIFIERS = "random identifiers in drawn tables"
UNREADABLE = "data without words, such as base64"
DRAWN_TWICE = "formulas that the page draws a second time"
PAGE_FURNITURE = "headers, footers and numbers of printed pages"
UNMAPPED = "characters of fonts that say nothing of which letters they are"
RECURRING = "lines that most pages of the site have; the first page keeps them"


@dataclass(frozen=True, slots=True)
class Removal:
    """A piece of a page that is not in its text."""

    reason: str
    text: str


@dataclass(slots=True)
class Removals:
    """The pieces of one page, as they are found."""

    found: list[Removal] = field(default_factory=list)

    def add(self, reason: str, text: str) -> None:
        """Notes a piece that is taken out."""
        if text and not text.isspace():
            self.found.append(Removal(reason, text))


@dataclass(slots=True)
class WordCount:
    """Words read, and words removed by reason; what was read and not removed was kept."""

    read: int = 0
    removed: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> int:
        """Words that are still there."""
        return self.read - self.removed.total()

    def add(self, other: WordCount) -> None:
        """Takes in the words of more documents."""
        self.read += other.read
        self.removed.update(other.removed)

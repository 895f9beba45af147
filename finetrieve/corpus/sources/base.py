"""What a source of documents is: the settings that a configuration gives, and a reader for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field, field_validator

from finetrieve.core.paths import is_path_field
from finetrieve.core.rows import Document, Skipped
from finetrieve.core.settings import Settings
from finetrieve.corpus.parsing.removal import WordCount


@dataclass(frozen=True, slots=True)
class SourceRead:
    """What a source delivered: its documents in their order, and what became no document."""

    documents: list[Document]
    skipped: list[Skipped] = field(default_factory=list)
    words: WordCount = field(default_factory=WordCount)
    """The words of what was read, and of those that are in no document, by reason; none where a source does not count."""
    version: str = ""
    """Which state of a place that changes was read: a commit, the day of a visit."""


class Reader(Protocol):
    """Reads the documents of one source."""

    def read(self) -> SourceRead:
        """Returns every document, cleaned; raises `InputError` for what the user got wrong."""
        ...

    def check(self) -> list[str]:
        """Returns the ids of the documents to expect, without the work of cleaning them; raises as `read` does."""
        ...

    def fingerprint(self) -> str:
        """Returns a hash of the contents and names of what `read` would read."""
        ...


@runtime_checkable
class FetchingReader(Reader, Protocol):
    """A reader that has to fetch its documents, which may take long."""

    def reach(self) -> list[str]:
        """Returns the ids of documents that are at hand, and none where they are to be fetched; raises where they cannot be."""
        ...


@runtime_checkable
class SamplingReader(Reader, Protocol):
    """A reader whose documents are at hand, so that one can look at some of them before a run."""

    def sample(self, limit: int) -> list[str]:
        """Returns the texts of at most so many documents, evenly spread, as their files have them."""
        ...


class Source(Settings):
    """The settings of a source. Each kind is a subclass, in one file with what reads it.

    A subclass gives its settings, a default for `name`, `description` and `reader`; its module imports nothing heavy.
    """

    description: ClassVar[str]
    """What it reads, in one line."""
    identity_keys: ClassVar[tuple[str, ...]] = ()
    """The settings that say which source it is, of which one is given; the others say what is taken of it. All do when empty."""

    name: str

    def reader(self) -> Reader:
        """Returns what reads the documents; nothing is read yet."""
        raise NotImplementedError

    @property
    def place(self) -> str:
        """Where the documents come from, as people would say it."""
        return f"'{self.identity[1]}'"

    @property
    def identity(self) -> tuple[str, str]:
        """The setting that says which source it is, key and value: sources that differ in it are different ones."""
        given = ((key, getattr(self, key)) for key in self.identity_keys)
        return next(((key, str(value)) for key, value in given if value is not None), ("settings", self.model_dump_json()))

    def is_path(self, key: str) -> bool:
        """Whether a setting is a path on this machine; such a one is annotated as a `ConfigPath`."""
        return key in type(self).model_fields and is_path_field(type(self).model_fields[key])


class TableSource(Source):
    """A source of tables with a document a row: which columns hold it; each is found by its usual names when not given."""

    text_column: str | list[str] | None = None
    """One column, or several that are joined."""
    title_column: str | None = None
    """The column of the title."""
    url_column: str | None = None
    """The column that says where people find the document."""
    id_column: str | None = None
    """The column of the document id, which evaluation sets refer to."""
    max_unreadable_share: float = Field(default=0.1, ge=0, le=1)
    """Of a table's rows, so many may be unreadable: they are reported and left out. Of a short table up to three may be."""


class NamedPages(Source):
    """A source of pages that have a path: which of them are read, by patterns."""

    include: list[str] = Field(default=[])
    """Patterns as in `.gitignore`; with any, only files or paths that match one are read."""
    exclude: list[str] = Field(default=[])
    """Patterns as in `.gitignore` for files or paths to leave out."""

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_are_valid(cls, patterns: list[str]) -> list[str]:
        from pathspec import GitIgnoreSpec

        for pattern in patterns:
            try:
                GitIgnoreSpec.from_lines([pattern])
            except ValueError:
                raise ValueError(f"'{pattern}' is no pattern as in .gitignore, such as 'guide/**/*.md'.") from None
        return patterns


class PageSource(NamedPages):
    """A source of documentation files: which of them are read, and how."""

    max_file_mb: float = Field(default=20, gt=0)
    """Larger files are skipped without being read, in MB."""
    txt_format: Literal["text", "restructuredtext", "markdown"] = "text"
    """What `.txt` files hold: some projects' are reStructuredText, such as Django's."""


def summary(skipped: list[Skipped], shown: int = 3) -> str:
    """Returns what was seen and why nothing came of it, in one line."""
    if not skipped:
        return "nothing is there"
    examples = "; ".join(f"{item.source}: {item.reason}" for item in skipped[:shown])
    more = len(skipped) - shown
    return f"{examples}; and {more} more" if more > 0 else examples
